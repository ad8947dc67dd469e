"""Words of each domain, a TOML file each."""
