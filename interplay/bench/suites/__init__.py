"""The suites that can be measured, by name."""
