"""Makes data: scenarios, synthetic speech, records, batches. Knows no model."""
