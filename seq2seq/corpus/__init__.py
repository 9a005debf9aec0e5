"""Decodes a corpus: parts in, parts of the same names out, by this process, by several or by a cluster."""
