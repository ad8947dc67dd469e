"""What answers a case: an endpoint, a model on this machine, with or without an adapter, or a baseline."""
