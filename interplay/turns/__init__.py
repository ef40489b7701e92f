"""Micro-turns: their types, tokens and layout as positions. Knows no sound, no model."""
