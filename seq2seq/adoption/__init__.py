"""Adopts models that other programs trained: `adopt` writes a model folder that predicts what the original predicts."""

from seq2seq.adoption.adopting import adopt

__all__ = ["adopt"]
