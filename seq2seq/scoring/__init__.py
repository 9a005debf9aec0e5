"""Scores models and their outputs."""
