"""The log-probabilities of texts in OpenAI's form: of each symbol, and of the most probable symbols at its place."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from seq2seq.api import LanguageModel, Translator
from seq2seq.inference.drafts import Opening
from seq2seq.inference.explaining import symbols_after, symbols_of
from seq2seq.inference.explanation import ExplainedSymbol
from seq2seq.inference.results import Generated, Output
from seq2seq.serving.refusals import printable
from seq2seq.special import END
from seq2seq.text.vocabulary import SPECIAL_NAMES

Tops = list[dict[str, float] | None]  # for each symbol the most probable ones with their log-probabilities, in nats


def tops_of_output(model: Translator | LanguageModel, output: Output, most: int) -> Tops:
    """Returns the `most` most probable symbols at each place of a translation, written as in its text."""
    assert isinstance(model, Translator)
    gap = model.target_vocabulary.separator
    explained = symbols_of(model, output, most)
    return [top_log_probs(one, partial(str.__add__, gap if at else "")) for at, one in enumerate(explained)]


def tops_of_text(model: LanguageModel, opening: Opening, one: Generated, most: int, *, echo: bool) -> Tops:
    """Returns the `most` most probable symbols at each place of a text, with those of its prompt for `echo`."""
    echoed = echo and opening.given
    ids = [*opening.ids, *one.token_ids]
    first = 1 if echoed else len(opening.ids)  # the first symbol of a prompt comes after nothing
    befores = [model.vocabulary.symbol(id_) for id_ in ids[first - 1 :]]
    if not echoed:
        befores[0] = model.last_symbol(opening)
    tops: Tops = [
        top_log_probs(each, partial(model.form.piece, before=before))
        for before, each in zip(befores, symbols_after(model, ids[:first], ids[first:], most), strict=False)
    ]
    return [None, *tops] if echoed else tops


def top_log_probs(explained: ExplainedSymbol, shown: Callable[[str], str]) -> dict[str, float]:
    """Returns the log-probabilities of the alternatives of a symbol by their texts, which `shown` makes of symbols."""
    return {
        printable(SPECIAL_NAMES[END] if each.symbol is None else shown(each.symbol)): math.log(each.probability)
        for each in explained.alternatives
        if each.probability
    }


def log_prob_lists(
    pieces: Sequence[str],
    log_probs: Sequence[float | None],
    offsets: Sequence[int],
    length: int,
    tops: Tops | None = None,
) -> dict[str, Any]:
    """Returns the log-probabilities of the symbols of a text in OpenAI's form.

    Args:
        pieces: the text that each symbol adds, first to last.
        log_probs: of each, in nats; more (of END) are left out.
        offsets: the place of each in the text, in characters.
        length: of the text, in characters; symbols beyond belong to a stop string.
        tops: the most probable symbols at the place of each; None: not asked for.

    """
    kept = sum(offset < length for offset in offsets[: len(pieces)])
    return {
        "tokens": [printable(piece) for piece in pieces[:kept]],
        "token_logprobs": list(log_probs[:kept]),
        "top_logprobs": tops and tops[:kept],
        "text_offset": list(offsets[:kept]),
    }
