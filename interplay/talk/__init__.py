"""Talking: sound files, a script or a microphone to a live session, and what it looked like."""
