"""Review by hand: what is in front of a person, what their decision means, and how far people and judge agree."""
