"""Training the student: cases, trainers, runs, and what came of them."""
