"""The options of decoding and generation: frozen dataclasses as in `config`."""

import dataclasses
import secrets
from dataclasses import dataclass
from typing import ClassVar, Self

from seq2seq.errors import OptionError
from seq2seq.fields import Config, flag_of, option

WARMEST = 1000.0  # the highest temperature, at which all symbols are about as probable
LONGEST, LONGEST_PROMPT = 2000, 20_000  # symbols of a line and of a prompt that are taken unless more are allowed
MOST_BATCHED = 1_000_000  # lines


@dataclass(frozen=True, kw_only=True)
class SamplingOptions(Config):
    """How symbols are sampled, for translators and language models."""

    section: ClassVar[str] = "decode"
    usual_temperature: ClassVar[str] = "1"  # the example in messages

    temperature: float | None = option(
        None,
        "sample from p^(1/T): below 1 conservative, above 1 surprising; 0 is greedy",
        at_least=0.0,
        at_most=WARMEST,
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
        "largest number of symbols in an output, END not counted (for a model that decomposes, of parts of "
        "characters); default: 1.5 times the longest in the training data, more for a longer source",
        at_least=1,
        metavar="N",
    )
    max_source_length: int = option(
        LONGEST,
        "longest line that is taken, in symbols; the time for a line grows with its length, and for attention with "
        "the square",
        at_least=1,
        metavar="N",
    )
    min_length: int = option(0, "smallest number of symbols in an output", at_least=0, metavar="N")
    prefix: str = option("", "forced beginning of every output", metavar="TEXT")
    dictionary: bool = option(False, "look up the sources of the training part; the model translates the others")
    batch_size: int = option(
        256, "lines decoded together; does not change a result", at_least=1, at_most=MOST_BATCHED, metavar="N"
    )

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
        others = {"--temperature": self.temperature, "--n-best": self.n_best > 1, "--prefix": self.prefix}
        for other in (name for name, given in others.items() if given and self.dictionary):
            raise OptionError(f"--dictionary and {other} exclude each other: a source has one entry; give one of them")


@dataclass(frozen=True, kw_only=True)
class ExplanationConfig(Config):
    """What an explanation shows."""

    section: ClassVar[str] = "decode"

    alternatives: int = option(5, "most probable symbols to show at each place", at_least=0, metavar="N")
    tree: bool = option(False, "show what the beam kept at each step, and the best of what it did not keep")


@dataclass(frozen=True, kw_only=True)
class GenerationConfig(SamplingOptions):
    """How a language model generates text."""

    usual_temperature: ClassVar[str] = "0.7"

    length: int = option(400, "symbols to generate after the prompt", at_least=1, metavar="N")
    max_prompt_length: int = option(LONGEST_PROMPT, "longest prompt that is taken, in symbols", at_least=1, metavar="N")
    temperature: float = option(
        0.7,
        "sample from p^(1/T): below 1 conservative, above 1 surprising; 0 takes the most probable symbol",
        at_least=0.0,
        at_most=WARMEST,
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
