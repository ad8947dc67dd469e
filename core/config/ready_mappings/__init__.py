"""A TOML file for each data set, with the keys of `[import.NAME]`."""
