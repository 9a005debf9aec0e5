"""Decoding through the one loop, in a process that has nothing else in it: no TensorFlow beside the NumPy runtime."""

import time

from seq2seq.api import load
from seq2seq.search_config import DecodingConfig
from tests.benchmarks.models import lines_of_length


class Decoding:
    """Decodes `lines` lines of the model's letters, `calls` times a turn."""

    def __init__(self, *, model, runtime, lines, calls, **options):
        self.translator = load(model, runtime=runtime)
        self.lines = lines_of_length(self.translator.source_vocabulary, lines)
        self.calls, self.config = calls, DecodingConfig(**options)

    def decode(self):
        return self.translator.decode_chunk(self.lines, self.config, first_line=1)

    def ready(self):
        self.decode()
        return {}

    def go(self):
        """The seconds of one call, after one that wakes the process up."""
        self.decode()
        began = time.perf_counter()
        for _ in range(self.calls):
            self.decode()
        return {"seconds": (time.perf_counter() - began) / self.calls}

    def end(self):
        return {}
