"""Reads lines, pairs and long texts; turns them into token ids, and ids into batches."""
