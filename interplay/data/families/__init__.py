"""Families of episodes, a subject each. See each module."""
