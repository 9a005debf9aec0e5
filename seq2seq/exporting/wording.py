"""What a README or a model.json says of a model: its kind, its texts, ids and actions, in words."""

from collections.abc import Sequence

from seq2seq.bundle.folder import Bundle
from seq2seq.bundle.record import EDITS, LICENCE, SOURCE_VOCABULARY, TARGET_VOCABULARY
from seq2seq.config import TRANSDUCER
from seq2seq.files.writing import arrays_bytes, json_text
from seq2seq.special import END, SPECIAL_COUNT
from seq2seq.text.edits import COPY, DELETE, FIRST_SUB, action_count, first_insertion
from seq2seq.text.prose import SYMBOL_PATTERN, TextForm
from seq2seq.text.source_layout import SourceForm
from seq2seq.text.vocabulary import Vocabulary

SPECIAL = (
    "Ids 0 to 3 are PAD, UNK (a symbol that training never saw), START and END. "
    f"Symbol number n of a vocabulary's list `symbols`, counted from 0, has the id n + {SPECIAL_COUNT}."
)

INPUTS = {  # of models in TensorFlow's and Keras's forms, by name
    "source_ids": "the row of ids of each source, padded on the right with 0",
    "token_ids": "what to feed: START (2) first, then each id that was chosen",
    "tag_ids": "the known tags of each source, padded on the right with 0",
    "memory_mask": "`source_ids != 0`",
}
TEXT_IDS = "what to feed: the ids of the text's symbols, one after the other"  # token_ids of a language model
SPACES = "(Unicode's property White_Space, and U+001C to U+001F)"
UNKNOWN = (
    "An unknown symbol has the id 1 (UNK). `seq2seq` itself reads it as its nearest known form if there is one: of "
    "F = NFKC(symbol), then of F = NFKD(symbol) without characters of the category Mn, the first of F, NFC(lower(F)) "
    "and NFC(upper(F)) that is not empty and consists of known symbols"
)
UNKNOWN_CHARACTER = (
    f"{UNKNOWN}, which are then read in its place; a character of the category Mn without one is left out."
)
UNKNOWN_WHOLE = f"{UNKNOWN}; the form must be one known symbol itself."


def level_of(bundle: Bundle) -> str:
    """Returns what the model's symbols are, in words that stand before its kind."""
    if bundle.source_vocabulary is None and TextForm.of(bundle.data).unit == "word":
        return "word-level"
    vocabularies = (bundle.source_vocabulary, bundle.target_vocabulary)
    return "symbol-level" if any(each and each.separator for each in vocabularies) else "character-level"


def kind_of(bundle: Bundle) -> str:
    """Returns what the model is, in words."""
    if bundle.source_vocabulary is None:
        return "language model"
    if bundle.model.architecture == TRANSDUCER:
        return "transducer, which writes a target as edits of its source"
    return f"translator, attention: {bundle.model.attention}"


def edits_of(bundle: Bundle) -> dict[str, bytes]:
    """Returns the edit distance of a transducer by the name of its file."""
    return {EDITS: arrays_bytes(bundle.edits.tensors())} if bundle.edits else {}


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


def numbered(steps: Sequence[str]) -> list[str]:
    """Returns steps as a numbered list, in lines of Markdown."""
    return [f"{number}. {step}" for number, step in enumerate(steps, 1)]


def reading_steps(bundle: Bundle, source: Vocabulary) -> list[str]:
    """Describes how a line becomes ids, in steps."""
    form = SourceForm.from_record(bundle.record)
    cleaned = "Remove U+FEFF, convert to NFC, write U+2019 as `'` and U+00A0, U+2009 and U+202F as spaces."
    steps = [cleaned if form.clean else "Remove line ends."]
    if source.features_sep:
        steps.append(
            "A line is `text<TAB>tags`: split it at the first tab. `seq2seq decode` refuses a line without a tab; of a "
            "word without tags the line ends with one."
        )
    if form.clean:
        steps.append(f"Remove white space at both ends of the text {SPACES}.")
    if bundle.data.lowercase:
        steps.append(f"Lower-case the text{', and convert it to NFC again' * form.clean}; tags keep their case.")
    unknown = UNKNOWN_WHOLE if source.separator else UNKNOWN_CHARACTER
    copied = " COPY of a symbol that is read as one other symbol writes the line's own." if bundle.edits else ""
    steps.append(f"{symbols_text(source, 'source')} {unknown}{copied}")
    if source.features_sep:
        steps.append(
            f"Tags are separated by {source.features_sep!r}; white space around them and empty ones are left out, and "
            "the tag PST is the symbol `<PST>` of the source's vocabulary, unknown or known as a whole. "
            + tags_text(bundle)
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
        "and tags the output is empty, and the model is not asked."
    )


def text_steps(bundle: Bundle) -> list[str]:
    """Describes how a text becomes symbols, and symbols become text, of a language model, in steps."""
    form = TextForm.of(bundle.data)
    steps = ["Replace CR LF by LF."] + ["Lower-case the text."] * form.lowercase
    steps += ["Remove byte order marks (U+FEFF), and bring the text to the Unicode form NFC."]
    joined, unknown = "Join the symbols without anything between them.", UNKNOWN_CHARACTER
    if form.unit == "word":
        unknown = UNKNOWN_WHOLE
        steps += [
            f"The symbols are all matches of the regular expression `{SYMBOL_PATTERN}`, in Python's form, in which `.` "
            "is any character."
        ]
    elif form.separator:
        unknown = UNKNOWN_WHOLE
        steps += [
            f"Split each line at {form.separator!r}, and leave empty parts out; a line end is a symbol of its own."
        ]
        joined = f"Join the symbols with {form.separator!r}, but nothing before and after a line end."
    else:
        steps += ["Each character (code point) is a symbol."]
    return [*steps, f"The beginning of a text has at least one symbol. {unknown}", SPECIAL, joined]


def text_loop(bundle: Bundle) -> str:
    """Describes how a language model is fed, and what it writes."""
    window = int(bundle.record.get("restarts", 0))
    begun = "Before the first symbol of a text all states are zeros; START is not fed."
    if window:
        begun = f"For each new symbol, begin with states of zeros, and feed the last {window} symbols of the text."
    return f"{begun} Ids 0 to 3 are never written: END (3) neither, since a text goes on."


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
