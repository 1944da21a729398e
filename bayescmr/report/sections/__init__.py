"""Sections of a report, one a file: each turns what was asked into blocks."""
