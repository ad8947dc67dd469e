"""What starts engines, each in a process of its own: the worker of a run, a rank of a training. Sees all of core."""
