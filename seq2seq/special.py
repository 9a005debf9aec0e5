"""The four special token ids; other modules import them."""

PAD, UNK, START, END = 0, 1, 2, 3
SPECIAL_COUNT = 4
