"""A finished model at work: text in, text out, by way of a runtime and the search."""
