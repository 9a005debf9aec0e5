"""Shows explanations: as a table of text, and as a picture (SVG, or PNG with matplotlib)."""
