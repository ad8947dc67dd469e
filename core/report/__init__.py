"""The state of a project as one HTML file that needs nothing else: no script, no network."""
