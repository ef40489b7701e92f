"""Systems that run in this process, trivial ones too; knows nothing of suites or scores."""
