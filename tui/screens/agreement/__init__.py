"""Agreement: how far people, label and judge agree."""
