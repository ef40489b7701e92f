"""What a sound holds: its words, and where speech is; knows nothing of suites or scores."""
