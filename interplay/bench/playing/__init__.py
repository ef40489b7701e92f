"""One item while it is played; the logical clock; knows nothing of who answers or of scores."""
