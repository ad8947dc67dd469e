"""The engine: a folder for each step of the pipeline, named after the step."""
