"""What a README or a model.json says of a model: its kind, its texts, ids and actions, in words."""

from seq2seq.bundle.folder import Bundle
from seq2seq.bundle.record import LICENCE, SOURCE_VOCABULARY, TARGET_VOCABULARY
from seq2seq.config import TRANSDUCER
from seq2seq.files.writing import json_text
from seq2seq.special import END, SPECIAL_COUNT
from seq2seq.text.edits import COPY, DELETE, FIRST_SUB, action_count, first_insertion
from seq2seq.text.source_layout import SourceForm
from seq2seq.text.vocabulary import Vocabulary

SPECIAL = (
    "Ids 0 to 3 are PAD, UNK (a symbol that training never saw), START and END. "
    f"Symbol number n of a vocabulary's list `symbols`, counted from 0, has the id n + {SPECIAL_COUNT}."
)

INPUTS = {  # of models in TensorFlow's and Keras's forms, by name
    "source_ids": "symbols of the sources, padded on the right with 0",
    "token_ids": "what to feed: START (2) first, then each id that was chosen",
    "tag_ids": "the known tags of each source, padded on the right with 0",
    "memory_mask": "`source_ids != 0`",
}
UNKNOWN = "An unknown symbol has the id 1 (UNK); `seq2seq decode` reads it as its nearest known form if there is one."
CANONICAL = (
    "The score of an output is that of its canonical path, the most probable actions of the model's edit distance; two "
    "paths to one text are one output of a beam."
)


def kind_of(bundle: Bundle) -> str:
    """Returns what the model is, in words."""
    if bundle.source_vocabulary is None:
        return "language model"
    if bundle.model.architecture == TRANSDUCER:
        return "transducer, which writes a target as edits of its source"
    return f"translator, attention: {bundle.model.attention}"


def other_files(bundle: Bundle) -> dict[str, str]:
    """Returns the vocabularies, and a licence that goes with the model, by the names of their files."""
    found = {TARGET_VOCABULARY: json_text(bundle.target_vocabulary.to_json())}
    if bundle.licence:
        found[LICENCE] = bundle.licence
    if bundle.source_vocabulary is not None:
        found[SOURCE_VOCABULARY] = json_text(bundle.source_vocabulary.to_json())
    return found


def symbols_text(vocabulary: Vocabulary, side: str) -> str:
    """Describes what a symbol of one side is."""
    if vocabulary.separator:
        return f"A symbol of a {side} is what stands between separators {vocabulary.separator!r}, if it is not empty."
    if vocabulary.decompose:
        return (
            f"A symbol of a {side} is a code point of its canonical decomposition (NFD); a text of symbols is composed "
            "(NFC) at the end."
        )
    return f"A symbol of a {side} is a character (code point)."


def reading_text(bundle: Bundle, source: Vocabulary) -> list[str]:
    """Describes how a line becomes ids, in numbered steps."""
    return [f"{number}. {step}" for number, step in enumerate(reading_steps(bundle, source), 1)]


def reading_steps(bundle: Bundle, source: Vocabulary) -> list[str]:
    """Describes how a line becomes ids, in steps."""
    form = SourceForm.from_record(bundle.record)
    steps = ["Remove line ends."]
    if form.clean:
        steps = [
            "Remove U+FEFF, convert to NFC, write U+2019 as `'` and U+00A0, U+2009 and U+202F as spaces.",
            "Remove white space at both ends.",
        ]
    if bundle.data.lowercase:
        steps.append(f"Lower-case the text{', and convert it to NFC again' * form.clean}; tags keep their case.")
    steps.append(f"{symbols_text(source, 'source')} {UNKNOWN}")
    if source.features_sep:
        steps.append(
            f"A line is `text<TAB>tags`; the tags are separated by {source.features_sep!r}, spaces around them are "
            "left out, and the tag PST is the symbol `<PST>` of the source's vocabulary. " + tags_text(bundle)
        )
    steps.append(row_text(bundle, form))
    return steps


def tags_text(bundle: Bundle) -> str:
    """Describes where the ids of tags go."""
    if bundle.model.architecture == TRANSDUCER:
        return "The ids of its tags are an input of their own; leave out unknown ones."
    return "The ids of the tags come first, then those of the text."


def row_text(bundle: Bundle, form: SourceForm) -> str:
    """Describes the row that the encoder reads."""
    if bundle.model.architecture == TRANSDUCER or form == SourceForm():
        return "The encoder reads the ids, then END (3); in a batch, rows are padded on the right with PAD (0)."
    parts = [f"the ids {list(form.before)} first"] if form.before else []
    parts.append("the ids of the line" + (" in reverse order" * form.reversed))
    parts += [f"then {list(form.after)}"] if form.after else []
    if form.length:
        side = "left" if form.left else "right"
        parts.append(f"and a row below {form.length} ids is filled on the {side} with the id {form.fill}")
    return f"The encoder reads {', '.join(parts)}; in a batch, rows are padded on the right with PAD (0)."


def limit_text(bundle: Bundle) -> str:
    """Describes the most symbols of an output."""
    longest = bundle.lengths
    return (
        f"An output has at most ceil({1.5 * longest.target} * max(1, n / {longest.source})) + 5 symbols, where n is "
        "the number of symbols of the line, tags included; a longer one is cut off there. For a line without symbols "
        "the output is empty, and the model is not asked."
    )


def action_effects(bundle: Bundle) -> dict[str, str]:
    """Returns what each action of a transducer does, by its id or the range of its ids."""
    actions = action_count(len(bundle.target_vocabulary))
    first = first_insertion(actions)
    return {
        f"{END}": "END: the output is complete; possible only at the end of the source",
        f"{COPY}": "COPY: writes the source symbol at the position, as it is in the line, and goes one symbol on",
        f"{DELETE}": "DELETE: writes nothing, and goes one symbol on",
        f"{FIRST_SUB} to {first - 1}": f"SUB: writes the target symbol number id - {FIRST_SUB}, and goes one symbol on",
        f"{first} to {actions - 1}": f"INS: writes the target symbol number id - {first}, and stays",
    }


def actions_text(bundle: Bundle) -> list[str]:
    """Describes the action ids of a transducer, as lines of a README."""
    return [
        "The model writes actions. `position` counts the source symbols that were read.",
        "",
        "| action id | effect |",
        "|---|---|",
        *(f"| {ids} | {effect} |" for ids, effect in action_effects(bundle).items()),
        "",
        "Ids 0, 1 and 2 are never taken. What is impossible has the logit minus infinity.",
    ]
