"""All options of the toolkit: frozen dataclasses whose fields have the default, the help text and the limits.

The command line, `--config FILE.toml`, the Python functions and the model folder all use these classes.
"""

import dataclasses
import secrets
from dataclasses import dataclass
from typing import ClassVar, Self

from seq2seq.errors import OptionError
from seq2seq.fields import Config, flag_of, internal, option

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
    lowercase: bool = option(False, "lower-case the data, and every input of the trained model")
    unit: str = option("char", "what a symbol of a text is", choices=("char", "word"))
    vocabulary_limit: int | None = option(
        None, "largest number of symbols in the vocabulary of a text; others are UNK", at_least=1
    )
    on_bad_line: str = option("skip", "what to do with an unusable line", choices=("skip", "error"))
    max_source_length: int | None = option(200, "leave out pairs with a longer source (symbols)", at_least=1)
    max_target_length: int | None = option(200, "leave out pairs with a longer target (symbols)", at_least=1)
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
    hidden_size: int = option(
        256, "units of each decoder layer; a bidirectional encoder has half of them each way",
        at_least=2, aliases=("--latent-dim",),
    )  # fmt: skip
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
    encoder_layers: int | None = internal(None, "layers of the encoder, if the decoder has another number")
    wiring: str = internal(
        "", "for each decoder layer the encoder layer whose states it starts with, such as 1,- (-: zeros)"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.bidirectional and self.hidden_size % 2:
            raise OptionError(f"--hidden-size: a bidirectional encoder needs an even number, got {self.hidden_size}")


def decoder_starts(config: ModelConfig) -> list[int | None]:
    """Returns for each decoder layer the encoder layer whose states it starts with; None: zeros."""
    if config.architecture == TRANSDUCER:
        return [None] * config.layers
    named = config.wiring.split(",") if config.wiring else map(str, range(config.layers))
    return [None if name == "-" else int(name) for name in named]


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
    early_stop_metric: str | None = option(
        None,
        "validation score that chooses the best checkpoint; default: chrf for pairs, loss for a text",
        choices=("loss", "chrf", "exact"),
    )
    patience: int | None = option(None, "end after this many epochs without a better score", at_least=1)
    seed: int = option(1, "seed of initial weights, batches and dropout", at_least=0)
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


@dataclass(frozen=True, kw_only=True)
class SamplingOptions(Config):
    """How symbols are sampled, for translators and language models."""

    section: ClassVar[str] = "decode"
    usual_temperature: ClassVar[str] = "1"  # the example in messages

    temperature: float | None = option(
        None,
        "sample from p^(1/T): below 1 conservative, above 1 surprising; 0 is greedy",
        at_least=0.0,
        metavar="T",
    )
    top_k: int | None = option(None, "sample among the K most probable symbols", at_least=1, metavar="K")
    top_p: float | None = option(
        None, "sample among the fewest symbols that together reach P", above=0.0, at_most=1.0, metavar="P"
    )
    min_p: float | None = option(
        None, "sample among symbols with at least P times the largest probability", at_least=0.0, at_most=1.0,
        metavar="P",
    )  # fmt: skip
    seed: int | None = option(
        None, "seed of sampling; absent: drawn and printed", at_least=0, at_most=2**64 - 1, metavar="N"
    )
    oov: str = option("map", "characters the model never saw", choices=("map", "unk", "error"))

    def check_filters(self) -> None:
        """Raises OptionError for a filter without sampling."""
        for name in ("top_k", "top_p", "min_p"):
            if getattr(self, name) is not None and not self.temperature:
                raise OptionError(
                    f"{flag_of(name)} filters what is drawn and needs --temperature above 0, "
                    f"such as {self.usual_temperature}"
                )

    def with_seed(self) -> Self:
        """Returns the options with a random seed if none was given."""
        return self if self.seed is not None else dataclasses.replace(self, seed=secrets.randbelow(2**31))


@dataclass(frozen=True, kw_only=True)
class DecodingConfig(SamplingOptions):
    """How text is produced from a model."""

    beam_size: int | None = option(
        None, "beam search with K hypotheses", at_least=1, aliases=("--beam-width", "--num-beams"), metavar="K"
    )
    length_penalty: float = option(
        1.0, "A in rank_score = score / length^A, length in symbols with END; 0: the sum", at_least=0.0,
        at_most=10.0, metavar="A",
    )  # fmt: skip
    n_best: int = option(1, "results for each line; needs --format tsv or jsonl", at_least=1, metavar="N")
    max_length: int | None = option(
        None,
        "largest number of symbols in an output, END not counted; default: 1.5 times the longest in the training "
        "data, more for a longer source",
        at_least=1,
        metavar="N",
    )
    min_length: int = option(0, "smallest number of symbols in an output", at_least=0, metavar="N")
    prefix: str = option("", "forced beginning of every output", metavar="TEXT")
    batch_size: int = option(256, "lines decoded together; does not change a result", at_least=1, metavar="N")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.beam_size is not None and self.temperature is not None:
            raise OptionError(
                "--beam-size and --temperature exclude each other: a beam finds the most probable output, "
                "a temperature samples one; give one of them"
            )
        self.check_filters()
        if self.n_best > (self.beam_size or 1) and not self.temperature:
            raise OptionError(
                f"--n-best {self.n_best} needs at least as many hypotheses: give --beam-size {self.n_best} or more, "
                "or --temperature for samples"
            )
        if self.max_length is not None and self.min_length > self.max_length:
            raise OptionError(f"--min-length {self.min_length} is above --max-length {self.max_length}")


@dataclass(frozen=True, kw_only=True)
class GenerationConfig(SamplingOptions):
    """How a language model generates text."""

    usual_temperature: ClassVar[str] = "0.7"

    length: int = option(400, "symbols to generate after the prompt", at_least=1, metavar="N")
    temperature: float = option(
        0.7,
        "sample from p^(1/T): below 1 conservative, above 1 surprising; 0 takes the most probable symbol",
        at_least=0.0,
        metavar="T",
    )
    samples: int = option(1, "texts to generate from the same prompt", at_least=1, metavar="N")
    seed: int | None = option(
        None, "seed of sampling and of the random excerpt; absent: drawn and printed", at_least=0, at_most=2**64 - 1,
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
        self.check_filters()
        if self.samples > 1 and not self.temperature:
            raise OptionError(
                f"--samples {self.samples}: at --temperature 0 all texts are the same; give a temperature above 0"
            )
