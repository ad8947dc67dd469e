"""What is kept: the schema of the data, and SQLite. Start with `schema`."""
