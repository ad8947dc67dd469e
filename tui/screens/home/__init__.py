"""Home: where am I, what is running, what next."""
