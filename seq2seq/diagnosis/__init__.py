"""Examines anybody's Keras sequence-to-sequence models and arrays: what makes training look good and decoding bad."""

from seq2seq.diagnosis.examining import examine
from seq2seq.diagnosis.report import Finding, Report

__all__ = ["Finding", "Report", "examine"]
