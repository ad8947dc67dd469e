"""What a recipe will take, before it is started: by formula, or by three real steps."""
