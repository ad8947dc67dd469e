"""Edit: an example as a form."""
