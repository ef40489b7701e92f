"""One item while it is played, on the logical clock; knows nothing of who answers or of scores."""
