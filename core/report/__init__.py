"""The state of a project as one HTML file that needs neither scripts nor a network."""
