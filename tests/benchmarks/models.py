"""The models of the decoding rows, and the lines they are given."""

import subprocess
import sys
from pathlib import Path

import numpy as np

from seq2seq.bundle.folder import Bundle
from seq2seq.bundle.record import LANGUAGE_MODEL
from seq2seq.config import DataConfig, ModelConfig
from seq2seq.inference.language_model import LanguageModel
from seq2seq.text.datasets import load_pairs, resolve
from seq2seq.text.vocabulary import Vocabulary

SOURCE_LENGTH, OUTPUT_LENGTH = 25, 30
GENERATED = 2000  # characters of one stream


def trained_model(folder: Path, data: str, minutes: float) -> Path:
    """Trains an attention model of the default sizes, through the command."""
    subprocess.run(
        [
            *(sys.executable, "-m", "seq2seq.train", "--data", data, "--model", str(folder)),
            *("--max-minutes", str(minutes), "--overwrite"),
        ],
        check=True,
        stdout=sys.stderr,
    )
    return folder


def sources_of(data: str) -> list[str]:
    """All sources of a data set, the held-out ones first."""
    splits = load_pairs(resolve(data), DataConfig(data=data))
    return [pair.source for part in (splits.test, splits.validation, splits.train) for pair in part]


def lines_of_length(vocabulary: Vocabulary, count: int, length: int = SOURCE_LENGTH) -> list[str]:
    """Random lines of the model's commonest letters, all of the same length."""
    letters = [symbol for symbol in vocabulary.symbols[:30] if symbol.isalpha() and symbol.isascii()]
    random = np.random.default_rng(1)
    return ["".join(random.choice(letters, length)) for _ in range(count)]


def random_language_model() -> LanguageModel:
    """A language model of 1 x 256 units and 90 symbols with random weights: its speed is that of a trained one."""
    model = ModelConfig(hidden_size=256, embedding_size=64, bidirectional=False, attention="none")
    vocabulary = Vocabulary([chr(code) for code in range(33, 119)])
    size, random = len(vocabulary), np.random.default_rng(1)
    shapes = {
        "target_embedding.embeddings": (size, 64),
        "decoder_0.kernel": (64, 1024),
        "decoder_0.recurrent_kernel": (256, 1024),
        "decoder_0.bias": (1024,),
        "logits.kernel": (256, size),
        "logits.bias": (size,),
    }
    weights = {name: random.normal(0, 0.1, shape).astype(np.float32) for name, shape in shapes.items()}
    return LanguageModel(
        Bundle(
            path=Path("random"),
            kind=LANGUAGE_MODEL,
            data=DataConfig(),
            model=model,
            source_vocabulary=None,
            target_vocabulary=vocabulary,
            weights=weights,
            record={},
            excerpt="Some words to begin with.",
        )
    )
