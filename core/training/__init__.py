"""From accepted examples to an adapter: supervised, then by reinforcement, watched and resumable."""
