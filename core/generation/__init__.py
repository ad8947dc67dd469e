"""Writing examples: sources write candidates, and the loop fills slots with those that pass QA."""
