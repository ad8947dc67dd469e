"""A training run at work: started, carried out phase by phase, monitored, and resumed."""
