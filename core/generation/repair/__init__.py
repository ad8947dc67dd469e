"""Writing stale fields of examples anew: by the procedural source for its own, by an endpoint for all others."""
