"""The names of graphs and of their inputs and outputs, for those who run them; needs no library."""

ENCODER, STEP = "encoder", "step"
NEXT = "next_"  # begins the name of an output that is fed as an input of the next step
SOURCE_IDS, SOURCE_MASK, TAG_IDS, TOKEN_IDS = "source_ids", "source_mask", "tag_ids", "token_ids"
LOGITS, ATTENTION, POSITIONS = "logits", "attention", "positions"
