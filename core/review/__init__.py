"""Review by hand: the item in front of a person, what their decision means, and how far people and judge agree."""
