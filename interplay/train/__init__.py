"""Losses, optimizers and the training loops. Knows nothing about serving or talking."""
