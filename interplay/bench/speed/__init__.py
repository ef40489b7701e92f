"""How fast the engine is, beside other runtimes with the same weights."""
