"""The slower model behind the conversation: delegations and tools. Knows no model, no data."""
