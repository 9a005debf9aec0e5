"""Takes over models that other programs trained: `adopt` writes a model folder that says what the original says."""

from seq2seq.adoption.adopting import adopt

__all__ = ["adopt"]
