"""Checks what a translator is asked to translate, and chooses how to decode it within the service's limits."""

from collections.abc import Sequence
from dataclasses import replace

from seq2seq.api import Translator
from seq2seq.errors import DataError
from seq2seq.inference.results import Output
from seq2seq.search_config import DecodingConfig
from seq2seq.serving.checks import check_length
from seq2seq.serving.limits import Limits
from seq2seq.serving.refusals import Refusal, printable
from seq2seq.serving.served import Served
from seq2seq.serving.service import Service


def measured(translator: Translator, lines: Sequence[str], limits: Limits, field: str) -> list[int]:
    """Returns the number of symbols of each line.

    Raises:
        Refusal: a line is too long, or lacks the tags that the model reads.

    """
    try:
        translator.check_lines(lines)
    except DataError as error:
        raise Refusal(400, f"{field}: {printable(str(error))}", param=field) from None
    lengths = []
    for number, line in enumerate(lines, 1):
        read = translator.encode(line, "map", number, lambda *_: None)
        lengths.append(len(read.tags) + len(read.ids))
        check_length(limits, lengths[-1], f"{field}, line {number}" if len(lines) > 1 else field, field)
    return lengths


def bounded(translator: Translator, length: int, config: DecodingConfig, most: int) -> DecodingConfig:
    """Limits the output of a source to `most` symbols, if the model's own limit is larger."""
    within = translator.length_limit(length, 0, config) <= most
    return config if within else replace(config, max_length=most)


async def decoded(
    service: Service, served: Served, lines: Sequence[str], lengths: Sequence[int], config: DecodingConfig
) -> list[list[Output]]:
    """Decodes the lines of a request, numbered from 1; the results of each line, best first."""
    model, most = served.model, service.limits.max_length
    assert isinstance(model, Translator)
    places: dict[DecodingConfig, list[int]] = {}
    for place, length in enumerate(lengths):
        places.setdefault(bounded(model, length, config, most), []).append(place)
    found: list[list[Output]] = [[] for _ in lines]
    for chosen, several in places.items():
        outputs = await service.translate(served, [(lines[place], place + 1) for place in several], chosen)
        for place, output in zip(several, outputs, strict=True):
            found[place] = output
    return found
