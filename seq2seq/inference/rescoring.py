"""Gives outputs the log-probabilities of their texts, where the search did not find them by the ids of the text."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from seq2seq.decoding.strategies import penalties
from seq2seq.inference.results import Output
from seq2seq.search_config import DecodingConfig
from seq2seq.text.pairs import Pair

if TYPE_CHECKING:  # it imports this module
    from seq2seq.inference.translator import Translator


def rescored(
    translator: "Translator", outputs: Sequence[Output], config: DecodingConfig, *, forced: int = 0
) -> list[Output]:
    """Returns outputs with the ids, symbols and log-probabilities of their texts, as `Translator.score` gives them.

    Args:
        translator: the model.
        outputs: their line, source, text and the rest are kept.
        config: how they were decoded.
        forced: symbols of a prefix, which has no log-probabilities.

    """
    vocabulary = translator.target_vocabulary
    scored = translator.score([Pair(output.source, output.text) for output in outputs], oov=config.oov)
    sources = [translator.encode(output.source, config.oov, output.line, lambda *_: None) for output in outputs]
    targets = [vocabulary.read(output.text) for output in outputs]
    found = []
    for output, one, target, ids in zip(outputs, scored, targets, translator.writer.fed(sources, targets), strict=True):
        log_probs = one.log_probs[forced : len(target.ids) + output.finished]
        score = math.fsum(log_probs)
        rank_score = score / float(penalties(len(log_probs), config.length_penalty))
        found.append(
            output._replace(
                symbols=target.symbols,
                log_probs=log_probs,
                score=score,
                rank_score=rank_score,
                token_ids=ids,
            )
        )
    return found


def one_for_each_text(
    translator: "Translator", outputs: list[Output], config: DecodingConfig, *, forced: int
) -> list[Output]:
    """Replaces outputs whose ids are not those of their text, which then has the score that `score` gives it.

    Parts of a character can come in an order that the text does not keep, such as two accents of one letter. In a beam,
    outputs with the same text become one, and the order is by rank_score again.
    """
    segment = translator.target_vocabulary.segment
    wrong = [place for place, output in enumerate(outputs) if segment(output.text) != output.symbols]
    if not wrong:
        return outputs
    found = list(outputs)
    for place, output in zip(
        wrong, rescored(translator, [outputs[place] for place in wrong], config, forced=forced), strict=True
    ):
        found[place] = output
    if config.beam_size is None:
        return found
    by_text = {output.text: output for output in reversed(found)}
    return sorted(by_text.values(), key=lambda output: -output.rank_score)
