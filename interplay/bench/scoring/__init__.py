"""From traces to outcomes, and from these to one row; knows nothing of who was measured or how."""
