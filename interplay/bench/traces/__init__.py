"""What one played item left behind, and items as JSON; knows nothing of systems or scores."""
