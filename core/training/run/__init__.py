"""A training at work: started, carried out phase by phase, watched, and resumed."""
