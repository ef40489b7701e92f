"""A result as one HTML file: tables, distributions, timelines with sound."""
