"""Project files that `sidequest init` writes."""
