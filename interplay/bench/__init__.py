"""Measures live systems: plays scenarios at an endpoint and scores what comes back."""
