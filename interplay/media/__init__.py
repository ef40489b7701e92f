"""Sound and pictures to and from what the model reads. Knows no tokens, no model."""
