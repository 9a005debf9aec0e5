"""Lines, pairs, prose and vocabularies: text becomes ids, ids become batches."""
