"""A model's answers to a set of examples, what they are worth, and what follows."""
