"""One check per file: what is checked, its threshold and source, and what to do."""
