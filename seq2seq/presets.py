"""The presets, the defaults of language models, and the options that apply to one kind of data only."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from seq2seq.config import ATTENTION, TRANSDUCER
from seq2seq.errors import OptionError
from seq2seq.fields import Config, flag_of

# defaults of a language model that differ from a translator's
LANGUAGE_DEFAULTS: dict[str, dict[str, Any]] = {
    "model": {
        "architecture": ATTENTION,
        "embedding_size": 64,
        "layers": 1,
        "bidirectional": False,
        "attention": "none",
    },
    "train": {"learning_rate": 0.005, "warmup_steps": 50},
}

# the sizes are those of the tutorials; batches are smaller, since windows do not overlap in this package
KING_LEAR: dict[str, Any] = {
    "rnn": "lstm",
    "layers": 2,
    "hidden_size": 256,
    "dropout": 0.2,
    "window": 100,
    "batch_size": 8,
    "learning_rate": 0.004,
}
NIETZSCHE: dict[str, Any] = {
    "rnn": "lstm",
    "layers": 1,
    "hidden_size": 128,
    "dropout": 0.0,
    "window": 60,
    "batch_size": 32,
    "optimizer": "rmsprop",
    "learning_rate": 0.01,
}
TUTORIAL: dict[str, Any] = {
    "architecture": ATTENTION,
    "hidden_size": 256,
    "embedding_size": 64,
    "layers": 1,
    "rnn": "lstm",
    "bidirectional": False,
    "attention": "none",
    "dropout": 0.0,
    "optimizer": "rmsprop",
    "learning_rate": 0.001,
    "schedule": "constant",
    "warmup_steps": 0,
    "batch_size": 64,
    "epochs": 100,
}
PRESETS: dict[str, dict[str, Any]] = {"tutorial": TUTORIAL, "king-lear": KING_LEAR, "nietzsche": NIETZSCHE}


# by kind of data, the options that do not apply to it
INAPPLICABLE: dict[str, set[str]] = {
    "text": {
        *("source_col", "target_col", "reverse", "features_col", "features_sep", "source_sep", "split_seed"),
        *("max_source_length", "max_target_length", "bidirectional", "attention", "architecture", "decompose"),
        *("hallucinate", "dictionary"),
    },
    "pairs": {"unit", "vocabulary_limit", "window"},
}


def with_defaults(kind: str, section: type[Config], chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the chosen options, and for a text the defaults that differ from the class.

    Args:
        kind: "text" or "pairs".
        section: the class of the options.
        chosen: names to values.

    Raises:
        OptionError: an option was chosen that does not apply to this kind of data.

    """
    own = LANGUAGE_DEFAULTS.get(section.section, {}) if kind == "text" else {}
    defaults = {field.name: field.default for field in dataclasses.fields(section)} | own
    for name in INAPPLICABLE[kind] & set(chosen):
        if chosen[name] != defaults[name]:
            other = "pairs" if kind == "text" else "a text"
            raise OptionError(f"{flag_of(name)} {chosen[name]}: is for {other}, and --data is {kind}; leave it out")
    if "attention" in chosen:  # who chooses among its kinds wants attention
        own = {"architecture": ATTENTION, **own}
    if chosen.get("architecture") == TRANSDUCER and chosen.get("attention", defaults.get("attention")) != "luong":
        raise OptionError(
            f"--attention {chosen['attention']} and --architecture transducer exclude each other: a transducer reads "
            "the source at its position; give one of them"
        )
    return {**own, **chosen}
