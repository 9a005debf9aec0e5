"""The options of data, model and training: frozen dataclasses whose fields have default, help text and limits.

The command line, `--config FILE.toml`, the Python functions and the model folder all use these classes.
"""

from dataclasses import dataclass
from typing import ClassVar

from seq2seq.errors import OptionError
from seq2seq.fields import Config, internal, option

ATTENTION, TRANSDUCER = "attention", "transducer"  # architectures


@dataclass(frozen=True, kw_only=True)
class DataConfig(Config):
    """Where the data is and how it is read; the model folder stores this for all verbs."""

    section: ClassVar[str] = "data"

    data: str = option("fra-eng", "a data set's name, a file, or a folder with its three parts", metavar="NAME|PATH")
    encoding: str = option("utf-8", "encoding of the data's files, such as cp1252")
    source_col: int = option(1, "column of the source, counted from 1", at_least=1)
    target_col: int = option(2, "column of the target, counted from 1", at_least=1)
    reverse: bool = option(False, "swap source and target")
    features_col: int | None = option(None, "column of feature tags put before the source", at_least=1)
    features_sep: str = option(";", "separator of the tags, such as V;PST;1;PL")
    source_sep: str = option("", "separator of source symbols; empty: characters")
    target_sep: str = option("", "separator of target symbols; empty: characters")
    decompose: bool | None = option(
        None,
        "cut characters into their canonical parts inside the model, such as Hangul syllables into jamo; outputs are "
        "composed; default: where this leaves at most a third of the symbols, and at least 100 fewer",
    )
    lowercase: bool = option(False, "lower-case the data, and every input of the trained model")
    unit: str = option("char", "what a symbol of a text is", choices=("char", "word"))
    vocabulary_limit: int | None = option(
        None, "largest number of symbols in the vocabulary of a text; others are UNK", at_least=1
    )
    on_bad_line: str = option("skip", "what to do with an unusable line", choices=("skip", "error"))
    max_source_length: int | None = option(200, "leave out pairs with a longer source (symbols as written)", at_least=1)
    max_target_length: int | None = option(200, "leave out pairs with a longer target (symbols as written)", at_least=1)
    split_seed: int = option(1, "seed of the split by source", at_least=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        columns = {"--source-col": self.source_col, "--target-col": self.target_col}
        if self.features_col is not None:
            columns["--features-col"] = self.features_col
            if not self.features_sep:
                raise OptionError("expected --features-sep to be at least one character, got ''; such as ';'")
        if len(set(columns.values())) < len(columns):
            named = ", ".join(f"{option} {column}" for option, column in columns.items())
            raise OptionError(f"expected different columns, got {named}; give each its own number")
        check_separator("--source-sep", self.source_sep)
        check_separator("--features-sep", self.features_sep)
        if not is_encoding(self.encoding):
            raise OptionError(
                f"expected --encoding to be one that Python knows, got {self.encoding!r}; "
                "such as utf-8, utf-16 or cp1252"
            )


def check_separator(option: str, separator: str) -> None:
    """Raises OptionError for a separator with a tab or line end, which cannot be inside a column."""
    if "\t" in separator or "\n" in separator:
        raise OptionError(f"expected {option} without tab or line end, got {separator!r}; tab separates columns")


def is_encoding(name: str) -> bool:
    """Returns whether Python has a text encoding with this name."""
    try:
        "a\tb\n".encode(name)
    except (LookupError, ValueError):
        return False
    return True


UNITS = 256  # the usual hidden size


@dataclass(frozen=True, kw_only=True)
class ModelConfig(Config):
    """The sizes of a model."""

    section: ClassVar[str] = "model"

    architecture: str = option(
        "auto",
        "how a target is written: attention: symbol by symbol, transducer: as edits of the source from left to right; "
        "auto: the training data decides",
        choices=("auto", ATTENTION, TRANSDUCER),
    )
    hidden_size: int | None = option(
        None,
        "units of each decoder layer; a bidirectional encoder has half of them each way; default: 256, but 512 for "
        "50 000 pairs or more with --max-minutes 40 or more, and for a text",
        at_least=2,
        aliases=("--latent-dim",),
    )
    embedding_size: int = option(64, "length of a symbol's vector", at_least=1)
    layers: int = option(1, "recurrent layers of the encoder and of the decoder", at_least=1, at_most=8)
    rnn: str = option("lstm", "kind of recurrent layer", choices=("lstm", "gru"))
    bidirectional: bool = option(True, "read the source in both directions")
    attention: str = option("luong", "kind of attention to the source", choices=("none", "luong", "bahdanau"))
    dropout: float | None = option(
        None,
        "share of units dropped in training after embeddings, between layers and before the output; "
        "default: 0.5 below 5000 pairs, 0.3 below 20 000, else 0.1; for a text 0 for up to 4 passes, then 0.4 below "
        "300 000 symbols, else 0.2",
        at_least=0.0,
        at_most=0.9,
    )
    bridge: str = internal("dense", "how the states of two directions become one", choices=("dense", "none"))
    gates: str = internal("sigmoid", "function of an LSTM's gates", choices=("sigmoid", "hard_sigmoid"))
    combine: str = internal("tanh", "how the output is made from attention and decoder", choices=("tanh", "none"))
    encoder_layers: int | None = internal(
        None, "layers of the encoder, if the decoder has another number", at_least=1, at_most=64
    )
    wiring: str = internal(
        "", "for each decoder layer the encoder layer whose states it starts with, such as 1,- (-: zeros)"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.bidirectional and self.units % 2:
            raise OptionError(f"--hidden-size: a bidirectional encoder needs an even number, got {self.units}")
        encoder, named = list(map(str, range(self.encoder_layers or self.layers))), self.wired
        if len(named) != self.layers or not set(named) <= {"-", *encoder}:
            raise OptionError(
                f"model.wiring: expected for each of {self.layers} decoder layers one of {', '.join(encoder)} or -, "
                f"got {','.join(named)!r}"
            )

    @property
    def units(self) -> int:
        """The hidden size; UNITS as long as none was given and no data decided it."""
        return self.hidden_size or UNITS

    @property
    def wired(self) -> list[str]:
        """For each decoder layer the encoder layer whose states it starts with; -: zeros."""
        if self.architecture == TRANSDUCER:
            return ["-"] * self.layers
        return self.wiring.split(",") if self.wiring else list(map(str, range(self.layers)))


def decoder_starts(config: ModelConfig) -> list[int | None]:
    """Returns for each decoder layer the encoder layer whose states it starts with; None: zeros."""
    return [None if name == "-" else int(name) for name in config.wired]


@dataclass(frozen=True, kw_only=True)
class TrainingConfig(Config):
    """How a model is trained."""

    section: ClassVar[str] = "train"

    epochs: int | None = option(
        None,
        "passes over the training part; default: 10, up to 100 for small data, no limit with --max-minutes; "
        "for a text 3 to 20, with --max-minutes 20",
        at_least=1,
    )
    max_steps: int | None = option(None, "end after this many steps", at_least=1)
    max_minutes: float | None = option(
        None, "end after this many minutes, start-up included; such a run cannot be repeated exactly", above=0.0
    )
    batch_size: int | None = option(
        None,
        "pairs in a step, by default 16 below 5000 pairs, else 32; for a text, places that are read in parallel, "
        "by default 4 to 32, one for 64 000 symbols",
        at_least=1,
    )
    window: int = option(64, "symbols of a text between two updates; the state is kept", at_least=1)
    learning_rate: float | None = option(
        None, "the highest learning rate; default: 0.008 with attention, 0.004 for a transducer, 0.005 for a text",
        above=0.0,
    )  # fmt: skip
    optimizer: str = option("adam", "the optimiser", choices=("adam", "rmsprop", "sgd"))
    warmup_steps: int = option(200, "steps over which the learning rate rises from 0", at_least=0)
    schedule: str = option("cosine", "how the learning rate falls", choices=("cosine", "linear", "constant"))
    clip_norm: float | None = option(1.0, "largest norm of all gradients together", above=0.0)
    label_smoothing: float = option(0.0, "share of probability spread over all symbols", at_least=0.0, at_most=0.9)
    average: float | None = option(
        None,
        "score and save a moving average of the weights, of which each step keeps this share, such as 0.999; "
        "default: 0, no average",
        at_least=0.0,
        at_most=0.99999,
    )
    early_stop_metric: str | None = option(
        None,
        "validation score that chooses the best checkpoint; default: chrf for pairs, loss for a text",
        choices=("loss", "chrf", "exact"),
    )
    patience: int | None = option(None, "end after this many epochs without a better score", at_least=1)
    hallucinate: int | None = option(
        None,
        "extra training pairs with random stems, made from pairs whose sides share symbols (inflection); default: 1000 "
        "for fewer than 500 pairs with tags, else 0",
        at_least=0,
    )
    dictionary: bool = option(
        True, "store the training part's pairs with the model, up to 8 MiB, for `decode --dictionary`"
    )
    seed: int = option(1, "seed of initial weights, batches, dropout and --hallucinate", at_least=0)
    teacher_share: float | None = option(
        None,
        "how much the teacher's probabilities count against the targets: loss = (1 - share) * nats of the targets + "
        "share * cross-entropy to the teacher; default: 0.5",
        at_least=0.0,
        at_most=1.0,
    )
    members: int = option(
        1,
        "train an ensemble: this many models that differ in their seed, one after the other, N times the time; "
        "a later, higher number adds models; --max-minutes is shared equally",
        at_least=1,
        metavar="N",
    )
    shards: int | None = option(
        None, "parts of a batch computed in parallel; default: one per core, each with 8 rows or more", at_least=1
    )
