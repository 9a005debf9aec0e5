"""The four special token ids; nobody else writes these numbers."""

PAD, UNK, START, END = 0, 1, 2, 3
SPECIAL_COUNT = 4
