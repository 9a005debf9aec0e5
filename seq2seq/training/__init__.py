"""One training run in its folder: data in, a finished model folder out."""
