"""Learning curves: accuracy by number of examples, for each recipe, with what more examples would bring."""
