"""Scores of outputs, and what is wrong with them."""
