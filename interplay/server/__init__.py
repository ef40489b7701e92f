"""The live server: a protocol-free core and thin adapters for the protocols clients speak."""
