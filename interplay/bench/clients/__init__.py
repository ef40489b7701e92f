"""Clients that play items at a server in real time, over the protocols that servers speak."""
