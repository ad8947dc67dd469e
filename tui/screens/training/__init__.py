"""Training: is it learning, is it going wrong, can I stop."""
