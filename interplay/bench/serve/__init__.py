"""Measures a server through its own protocols, over real sockets on this machine."""
