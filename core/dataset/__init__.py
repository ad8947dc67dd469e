"""What is known about all examples together: queries, splits, coverage."""
