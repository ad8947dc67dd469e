"""Steps for examples that have none: from the procedural source for its own, from a model for all others."""
