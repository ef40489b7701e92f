"""People's own recordings as training data: imported, looked at, mixed with made-up sessions."""
