"""The loop of greedy decoding that the README of exported models shows, with Keras or LiteRT and no other library."""

from typing import NamedTuple

from seq2seq.bundle.folder import Bundle
from seq2seq.config import TRANSDUCER
from seq2seq.exporting.text_code import text_symbols
from seq2seq.models.decoder import state_count
from seq2seq.text.edits import COPY, FIRST_SUB
from seq2seq.text.prose import SYMBOL_PATTERN, TextForm
from seq2seq.text.source_layout import SourceForm
from seq2seq.text.vocabulary import Vocabulary


class Library(NamedTuple):
    """How a script loads the models: what it imports, and lines that define tensor, argmax and `loaded(part)`."""

    imports: tuple[str, ...]
    prelude: str


KERAS = Library(
    ("keras",),
    """tensor, argmax = keras.ops.convert_to_tensor, keras.ops.argmax


def loaded(part):
    return keras.saving.load_model(f"{part}.keras")""",
)
SYMBOLS = """{names} = (
    json.loads(pathlib.Path(f"{{side}}_vocabulary.json").read_text("utf-8"))["symbols"] for side in {sides}
)
PAD, UNK, START, END = range(4)
ids = {{symbol: number for number, symbol in enumerate({read}, 4)}}"""


def loop_of(bundle: Bundle, example: str, library: Library = KERAS) -> str:
    """Returns a script that reads the files of its folder and prints the output for one line or prompt."""
    body = text_body(bundle) if bundle.source_vocabulary is None else pair_body(bundle, bundle.source_vocabulary)
    modules = [name for name in ("json", "math", "pathlib", "re", "unicodedata") if f"{name}." in body]
    imports = "\n".join(f"import {name}" if name else "" for name in [*modules, "", *library.imports])
    head = f"{imports}\n\n{library.prelude}\n\n"
    name = "continued" if bundle.source_vocabulary is None else "translated"
    return f"{head}\n\n{body}\n\n\nprint({name}({example!r}))\n"


def split_code(vocabulary: Vocabulary, value: str) -> str:
    """Returns an expression for the symbols of the text `value`."""
    if vocabulary.separator:
        return f"[symbol for symbol in {value}.split({vocabulary.separator!r}) if symbol]"
    return f'list(unicodedata.normalize("NFD", {value}))' if vocabulary.decompose else f"list({value})"


def join_code(vocabulary: Vocabulary) -> str:
    """Returns an expression for the text of the symbols `written`."""
    joined = f"{vocabulary.separator!r}.join(written)"
    cut = vocabulary.decompose and not vocabulary.separator
    return f'unicodedata.normalize("NFC", {joined})' if cut else joined


def row_code(form: SourceForm) -> str:
    """Returns an expression for the row that the encoder reads of the ids `read`."""
    ids = "*read[::-1]" if form.reversed else "*read"
    parts = [*map(str, form.before), ids, *("END" if after == 3 else str(after) for after in form.after)]
    row = f"[{', '.join(parts)}]"
    if not form.length:
        return f"{row} or [{form.fill}]" if not (form.before or form.after) else row
    padding = f"[{form.fill}] * ({form.length} - len(read) - {len(form.before) + len(form.after)})"
    return f"{padding} + {row}" if form.left else f"{row} + {padding}"


def pair_body(bundle: Bundle, source: Vocabulary) -> str:
    """Returns the part of the script that loads a translator and defines `translated`."""
    transduces, target = bundle.model.architecture == TRANSDUCER, bundle.target_vocabulary
    form, longest = SourceForm.from_record(bundle.record), bundle.lengths
    lines = [
        'encoder, decoder = loaded("encoder"), loaded("decoder")',
        SYMBOLS.format(names="source, target", sides='("source", "target")', read="source"),
        "",
        "",
        "def translated(line):",
    ]
    lower, line = ".lower()" if bundle.data.lowercase else "", "line"
    if form.clean:
        lines += [
            '    line = line.translate({0xFEFF: None, 0x2019: "\'", 0xA0: " ", 0x2009: " ", 0x202F: " "})',
            '    line = unicodedata.normalize("NFC", line)',
        ]
        line = f'unicodedata.normalize("NFC", line{lower}).strip()' if lower else "line.strip()"
    if source.features_sep:
        tags = "[f'<{tag.strip()}>' for tag in tags.split(" + repr(source.features_sep) + ") if tag.strip()]"
        lines += ['    line, _, tags = line.partition("\\t")', f"    tags = {tags}"]
    if not form.clean:
        line = f'line.rstrip("\\r\\n"){lower}'
    lines += [f"    symbols = {split_code(source, line)}", "    read = [ids.get(symbol, UNK) for symbol in symbols]"]
    if source.features_sep and transduces:
        lines.append('    tag_ids = tensor([[*(ids[tag] for tag in tags if tag in ids), PAD]], "int32")')
    elif source.features_sep:
        lines.append("    read = [ids.get(tag, UNK) for tag in tags] + read")
    tagged = source.features_sep and transduces
    lines += [f"    if not {'(read or tags)' if tagged else 'read'}:", '        return ""']
    size = "(len(read) + len(tags))" if tagged else "len(read)"
    scale = f"max(1, {size} / {longest.source})"
    lines.append(f"    most = math.ceil({1.5 * longest.target} * {scale}) + 5  # symbols of the output")
    lines.append(f'    source_ids = tensor([{"[*read, END]" if transduces else row_code(form)}], "int32")')
    lines.append("    memory, *states = encoder(source_ids)")
    attends = transduces or bundle.model.attention != "none"
    memory = ", memory, source_ids != PAD" if attends else ""
    fed = 'tensor([[token]], "int32")'
    if transduces:
        tags = ", tag_ids" if source.features_sep else ""
        lines += [
            '    token, written, position = START, [], tensor([0], "int32")',
            "    while len(written) <= most:",
            f"        logits, position, *states = decoder([{fed}, position, *states{memory}{tags}])",
            "        token = END + int(argmax(logits[0, 0, END:]))  # PAD, UNK and START are never taken",
            "        if token == END:",
            "            break",
            f"        if token == {COPY}:",
            "            written.append(symbols[int(position[0])])",
            f"        elif token >= {FIRST_SUB}:",
            f"            written.append(target[(token - {FIRST_SUB}) % len(target)])",
            "    written = written[:most]",
        ]
    else:
        lines += [
            "    token, written = START, []",
            "    while len(written) < most:",
            f"        logits, *states = decoder([{fed}, *states{memory}])",
            "        token = END + int(argmax(logits[0, 0, END:]))  # PAD, UNK and START are never written",
            "        if token == END:",
            "            break",
            "        written.append(target[token - 4])",
        ]
    lines.append(f"    return {join_code(target)}")
    return "\n".join(lines)


def text_body(bundle: Bundle) -> str:
    """Returns the part of the script that loads a language model and defines `continued`."""
    window = int(bundle.record.get("restarts", 0))
    zeros = f'zeros = [tensor([[0.0] * {bundle.model.units}], "float32")] * {state_count(bundle.model)}'
    fed = f"read[-{window}:]" if window else "read"
    form = TextForm.of(bundle.data)
    split, joined = text_symbols(form, pattern=repr(SYMBOL_PATTERN), symbols="written")
    lower = ".lower()" if form.lowercase else ""
    lines = [
        'decoder = loaded("decoder")',
        SYMBOLS.format(names="(target,)", sides='("target",)', read="target"),
        zeros,
        "",
        "",
        "def continued(text, length=20):  # text: the beginning, at least one symbol",
        f'    text = text.replace("\\r\\n", "\\n").replace("\\ufeff", ""){lower}',
        '    text = unicodedata.normalize("NFC", text)',
        f"    written = {split}",
        "    read, states = [ids.get(symbol, UNK) for symbol in written], zeros",
        "    for _ in range(length):",
        f"        for token in {fed}:",
        '            logits, *states = decoder([tensor([[token]], "int32"), *states])',
        "        token = END + 1 + int(argmax(logits[0, 0, END + 1 :]))  # no special id",
        "        written.append(target[token - 4])",
        "        read, states = [*read, token], zeros" if window else "        read = [token]",
        f"    return {joined}",
    ]
    return "\n".join(lines)
