"""What talks to OpenAI-compatible endpoints."""
