"""What a person has written down: the task, the project file, their own settings. Sees storage only."""
