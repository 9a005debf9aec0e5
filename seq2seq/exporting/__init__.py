"""A model folder -> files that other programs run: one module a format."""
