"""Generate: the grid of cells, what to ask for, and the run as it goes."""
