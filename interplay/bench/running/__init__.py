"""One run of suites: opens, plays, keeps, resumes; knows nothing of how options are spelled."""
