"""The embedded source of examples: latent worlds, rendered to text, with no network and no model."""
