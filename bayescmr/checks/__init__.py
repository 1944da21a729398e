"""Checks of the package and of a fit: one check per file."""
