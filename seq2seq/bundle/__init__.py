"""A model folder on disk: its record and schema, its parts and weights, saved and loaded."""
