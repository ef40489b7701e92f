"""Words and sentences of the synthetic talk, as text. Knows nothing of sound or voices."""
