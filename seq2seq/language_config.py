"""What language models add to the options: their defaults, the presets, and how text is generated."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from seq2seq.config import Config, flag_of, option
from seq2seq.errors import OptionError

# where a language model's default differs from a translator's
LANGUAGE_DEFAULTS: dict[str, dict[str, Any]] = {
    "model": {
        "hidden_size": 512,
        "embedding_size": 64,
        "layers": 1,
        "bidirectional": False,
        "attention": "none",
    },
    "train": {"learning_rate": 0.005, "warmup_steps": 50},
}

# the sizes are those of the tutorials; batches are smaller, since windows do not overlap here
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


# options that mean nothing for a kind of data
FOREIGN: dict[str, set[str]] = {
    "text": {
        *("source_col", "target_col", "reverse", "features_col", "features_sep", "source_sep", "split_seed"),
        *("max_source_length", "max_target_length", "bidirectional", "attention"),
    },
    "pairs": {"unit", "vocabulary_limit", "window"},
}


def with_defaults(kind: str, section: type[Config], chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Puts what was chosen over the defaults of a kind of data.

    Args:
        kind: "text", which has defaults of its own, or "pairs", which has those of the classes.
        section: the class of the options.
        chosen: names to values.

    Raises:
        OptionError: an option was chosen that means nothing for this kind.

    """
    own = LANGUAGE_DEFAULTS.get(section.section, {}) if kind == "text" else {}
    defaults = {field.name: field.default for field in dataclasses.fields(section)} | own
    for name in FOREIGN[kind] & set(chosen):
        if chosen[name] != defaults[name]:
            meant = "pairs" if kind == "text" else "a text"
            raise OptionError(f"{flag_of(name)} {chosen[name]}: is for {meant}, and --data is {kind}; leave it out")
    return {**own, **chosen}


@dataclass(frozen=True, kw_only=True)
class GenerationConfig(Config):
    """How a language model writes."""

    section: ClassVar[str] = "decode"

    length: int = option(400, "symbols to write after the prompt", at_least=1, metavar="N")
    temperature: float = option(
        0.7,
        "draw from p^(1/T): below 1 conservative, above 1 surprising; 0 takes the most probable symbol",
        at_least=0.0,
        metavar="T",
    )
    top_k: int | None = option(None, "draw among the K most probable symbols", at_least=1, metavar="K")
    top_p: float | None = option(
        None, "draw among the fewest symbols that together reach P", above=0.0, at_most=1.0, metavar="P"
    )
    min_p: float | None = option(
        None, "draw among symbols with at least P times the largest probability", at_least=0.0, at_most=1.0,
        metavar="P",
    )  # fmt: skip
    samples: int = option(1, "texts to write from the same prompt", at_least=1, metavar="N")
    seed: int | None = option(
        None, "seed of the draws and of the random place; absent: drawn and printed", at_least=0, at_most=2**64 - 1,
        metavar="N",
    )  # fmt: skip
    oov: str = option("map", "characters of the prompt that the model never saw", choices=("map", "unk", "error"))
    beam_size: int | None = option(
        None, "refused: the most probable text of a language model repeats itself", at_least=1, metavar="K",
        aliases=("--beam-width", "--num-beams"),
    )  # fmt: skip

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.beam_size is not None:
            raise OptionError(
                f"--beam-size {self.beam_size}: beam search makes a language model repeat itself, since the most "
                "probable long text is a loop; leave it out, and give --temperature 0.7 or --temperature 0 for greedy"
            )
        for name in ("top_k", "top_p", "min_p"):
            if getattr(self, name) is not None and not self.temperature:
                raise OptionError(f"{flag_of(name)} filters what is drawn and needs --temperature above 0, such as 0.7")
        if self.samples > 1 and not self.temperature:
            raise OptionError(
                f"--samples {self.samples}: at --temperature 0 all texts are the same; give a temperature above 0"
            )
