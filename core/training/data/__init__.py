"""Training data: cases, the order in which they are drawn, and the rewards of answers."""
