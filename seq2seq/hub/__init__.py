"""Models for others: a folder in a few words, its model card, and the way to a hub and from there."""
