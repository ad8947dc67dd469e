"""Examples are written here: sources write candidates, the loop fills slots with those that pass QA."""
