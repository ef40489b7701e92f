"""One run of suites: opens what is measured, plays, keeps, resumes; knows nothing of printing."""
