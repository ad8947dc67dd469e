"""What was trained, as files that other programs open."""
