"""Interplay: an open interaction model that listens, watches, speaks and acts on a 200 ms clock.

Importing the package loads nothing heavy; the subpackages are imported by name.
"""

__version__ = "0.1.0"
