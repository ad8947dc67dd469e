"""Long work: launched, worked on by a process of its own, and controlled from outside."""
