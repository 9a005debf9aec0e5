"""Searches for hypotheses with a step function: filters, random draws, strategies and the loop. NumPy only."""

from seq2seq.decoding.filters import log_softmax
from seq2seq.decoding.hypotheses import Hypothesis, decode
from seq2seq.decoding.search import Observer, StepModel, search, search_blocks
from seq2seq.decoding.slots import StepEvent
from seq2seq.decoding.state import State, join_rows, select_rows, select_sources
from seq2seq.decoding.strategies import Beam, Greedy, Sampling, Strategy, penalties, strategy_of
from seq2seq.decoding.tree import BeamTree, Branch

__all__ = [
    "Beam",
    "BeamTree",
    "Branch",
    "Greedy",
    "Hypothesis",
    "Observer",
    "Sampling",
    "State",
    "StepEvent",
    "StepModel",
    "Strategy",
    "decode",
    "join_rows",
    "log_softmax",
    "penalties",
    "search",
    "search_blocks",
    "select_rows",
    "select_sources",
    "strategy_of",
]
