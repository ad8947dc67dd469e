"""Models that answer cases: an endpoint, one on this machine with or without an adapter, or a baseline."""
