"""What one played item left behind, in memory and on disk; knows nothing of systems or scores."""
