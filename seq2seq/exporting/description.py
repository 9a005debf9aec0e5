"""Describes an exported model for programs that know only the description: `model.json`."""

import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seq2seq.bundle.exported import EXPORT_FORMAT, EXPORT_VERSION, Description
from seq2seq.bundle.folder import Bundle
from seq2seq.bundle.record import TRANSLATOR
from seq2seq.exporting.search_wording import scoring_rules
from seq2seq.exporting.wording import SPECIAL, action_effects, limit_text, reading_steps, text_steps
from seq2seq.special import END, PAD, START, UNK
from seq2seq.text.edits import COPY, DELETE, FIRST_SUB, action_count, first_insertion
from seq2seq.text.lines import REPLACED
from seq2seq.text.prose import SYMBOL_PATTERN
from seq2seq.text.source_layout import SourceForm
from seq2seq.version import __version__

AXES = {
    "B": "sources of a batch",
    "S": "ids of a source's row",
    "F": "tags of a source",
    "N": "hypotheses: B, or B times K where a search follows K hypotheses of each source",
}
TEXT_AXES = {"N": "texts that are written side by side"}


def describe(bundle: Bundle, form: str, graphs: Mapping[str, Any], **more: Any) -> Description:
    """Describes a model.

    Args:
        bundle: the model.
        form: of the files, such as "onnx".
        graphs: by name, the file with its inputs and outputs.
        more: other fields of Description, such as `sha256`.

    """
    record, translates = bundle.record, bundle.kind == TRANSLATOR
    lengths = dataclasses.asdict(bundle.lengths) if translates else None
    source = bundle.source_vocabulary
    axes = {
        letter for graph in graphs.values() for port in graph["inputs"] + graph["outputs"] for letter in port["shape"]
    }
    return Description(
        format=EXPORT_FORMAT,
        version=EXPORT_VERSION,
        written_by=f"seq2seq {__version__}",
        form=form,
        kind=bundle.kind,  # type: ignore[arg-type]
        writes="actions" if bundle.edits else "symbols",
        members=max(len(bundle.members), 1),
        graphs=dict(graphs),
        axes={letter: meaning for letter, meaning in (AXES if translates else TEXT_AXES).items() if letter in axes},
        loop=loop_rules(bundle),
        special_ids={"PAD": PAD, "UNK": UNK, "START": START, "END": END},
        never_written=[PAD, UNK, START] if translates else [PAD, UNK, START, END],
        source_vocabulary=source.to_json() if source else None,
        target_vocabulary=bundle.target_vocabulary.to_json(),
        text=text_rules(bundle),
        source_form=SourceForm.from_record(record),
        lengths=lengths,
        max_length=math.ceil(1.5 * lengths["target"]) + 5 if lengths else None,
        restarts=int(record.get("restarts", 0)),
        actions=actions_of(bundle) if bundle.edits else None,
        data={**bundle.data.to_dict(), "data": Path(bundle.data.data).name},
        model=bundle.model.to_dict(),
        **more,
    )


def loop_rules(bundle: Bundle) -> list[str]:
    """Describes in words how a program runs the graphs."""
    step = [
        "After each step, the output `next_NAME` is the input `NAME` of the next step; other inputs stay as they are.",
        "Log-probabilities are log softmax(logits) over all ids, in nats; ids of `never_written` are never chosen.",
    ]
    if bundle.source_vocabulary is None:
        window = int(bundle.record.get("restarts", 0))
        begin = (
            "Before the first symbol all states are zeros. Feed the symbols of the beginning one by one in `token_ids`"
        )
        if window:
            begin = f"For each new symbol begin with states of zeros, and feed the last {window} symbols of the text"
        return [f"{begin}; the logits after the last of them are those of the next symbol.", *step]
    chosen = "action" if bundle.edits else "id"
    return [
        "Run `encoder` once. Each of its outputs is the input of `step` with the same name; if `step` has an input "
        "`source_mask`, it is that of the encoder.",
        "To follow K hypotheses of each source, repeat each row of the outputs of shape (B, ...) that `step` takes as "
        "(N, ...) K times; the others stay as they are. Hypotheses that are reordered take these rows with them.",
        f"`token_ids` has START (2) at the first step, then the {chosen} that was chosen from the last logits.",
        *step,
        "A hypothesis is complete when END (3) is chosen.",
        *scoring_rules(bundle),
    ]


def actions_of(bundle: Bundle) -> dict[str, Any]:
    """Describes what each action of a transducer does."""
    count = action_count(len(bundle.target_vocabulary))
    return {
        "count": count,
        "END": END,
        "COPY": COPY,
        "DELETE": DELETE,
        "first_SUB": FIRST_SUB,
        "first_INS": first_insertion(count),
        "meaning": [f"{ids} {effect}" for ids, effect in action_effects(bundle).items()],
        "positions": "The step moves `positions` as the action in `token_ids` says, never beyond the place of END, and "
        "gives the result out as `next_positions`: the action that is chosen from its logits is about that symbol.",
        "impossible": "Their logits are minus infinity: END before the place of END, and COPY, DELETE and SUB at it.",
    }


def text_rules(bundle: Bundle) -> dict[str, Any]:
    """Describes how a line becomes symbols, and symbols become text: as data, and in words, in their order."""
    if bundle.source_vocabulary is None:
        found: dict[str, Any] = {"lowercase": bundle.data.lowercase, "rules": text_steps(bundle)}
        return {**found, "symbol": SYMBOL_PATTERN} if bundle.data.unit == "word" else found
    target, form = bundle.target_vocabulary, SourceForm.from_record(bundle.record)
    composed = ", and convert the text to NFC" if target.decompose and not target.separator else ""
    rules = [
        SPECIAL,
        *reading_steps(bundle, bundle.source_vocabulary),
        f"Join the symbols of the output with {target.separator!r}{composed}.",
        limit_text(bundle),
    ]
    return {"replace": REPLACED if form.clean else {}, "lowercase": bundle.data.lowercase, "rules": rules}
