"""Writes the Python program that stands in an ONNX export's README: it decodes one line, as far as the model needs."""

from seq2seq.bundle.folder import Bundle
from seq2seq.exporting.text_code import text_symbols
from seq2seq.text.prose import TextForm
from seq2seq.text.source_layout import SourceForm

GENERATED = 100  # symbols that the program of a language model writes
LIBRARIES = "numpy as np, onnxruntime"
READ = ['model = json.load(open("model.json", encoding="utf-8"))']
OUTPUTS = "dict(zip([port.name for port in step.get_outputs()], step.run(None, feed)))"
FOLLOW = 'feed = {name: found.get(f"next_{name}", value) for name, value in feed.items()}'


def program(bundle: Bundle) -> str:
    """Returns the program for a model: it takes the line, or the beginning of a text, as its argument."""
    lines = text_program(bundle) if bundle.source_vocabulary is None else line_program(bundle)
    return "\n".join(lines) + "\n"


def symbols_from(side: str, first: int, times: int = 1) -> str:
    """Returns an expression: the symbols of a vocabulary by id, or by action; the first ids stand for no symbol."""
    repeated = f"{times} * " if times > 1 else ""
    return f'[""] * {first} + {repeated}model["{side}_vocabulary"]["symbols"]'


def line_program(bundle: Bundle) -> list[str]:
    """Returns the program of a translator."""
    target = bundle.target_vocabulary
    written, actions = "text.append(target[token])", 4
    if bundle.edits:
        copied = 'symbols[found["next_positions"][0]]'
        written = f"if token != 5: text.append({copied} if token == 4 else target[token])  # 5 DELETE, 4 COPY"
        actions = 6  # target symbols by the actions that write them: first SUB of each, then INS of each
    longest = bundle.lengths
    tagged = bundle.source_vocabulary is not None and bundle.source_vocabulary.features_sep
    asked = "tags + symbols" if tagged else "symbols"
    joined = f"{target.separator!r}.join(text)"
    if target.decompose and not target.separator:
        joined = f'unicodedata.normalize("NFC", {joined})'
    return [
        f"import json, sys, unicodedata, {LIBRARIES}",
        *READ,
        'encoder, step = (onnxruntime.InferenceSession(f"{name}.onnx") for name in ("encoder", "step"))',
        f"source, target = {symbols_from('source', 4)}, {symbols_from('target', actions, 1 + (actions > 4))}",
        *reading(bundle),
        'feed = {"source_ids": np.array([row]), "source_mask": np.ones((1, len(row)), bool)}',
        *tags_fed(bundle),
        "feed.update(zip([port.name for port in encoder.get_outputs()], encoder.run(None, feed)))",
        'feed["token_ids"], text = np.array([2]), []  # START',
        "feed = {port.name: feed[port.name] for port in step.get_inputs()}",
        f"limit = int(np.ceil(1.5 * {longest.target} * max(1, len({asked}) / {longest.source}))) + 5 if {asked} else 0",
        "while len(text) < limit:",
        f"    found = {OUTPUTS}",
        '    token = 3 + int(found["logits"][0, 3:].argmax())  # never PAD, UNK or START',
        "    if token == 3: break  # END",
        f"    {written}",
        f"    {FOLLOW}",
        '    feed["token_ids"] = np.array([token])',
        f"print({joined})",
    ]


def reading(bundle: Bundle) -> list[str]:
    """Returns the lines that turn the argument into `symbols`, and these into the `row` that the encoder reads."""
    source, form = bundle.source_vocabulary, SourceForm.from_record(bundle.record)
    assert source is not None
    lines = []
    if form.clean:
        cleaned = 'unicodedata.normalize("NFC", sys.argv[1].translate(str.maketrans(model["text"]["replace"])))'
        if source.features_sep:
            lines.append(f'line, _, tags = {cleaned}.partition("\\t")')
            cleaned = "line"
        lowered = f'unicodedata.normalize("NFC", {cleaned}.lower())' if bundle.data.lowercase else cleaned
        lines.append(f"line = {lowered}.strip()")
    else:
        lines.append(f'line = sys.argv[1].rstrip("\\r\\n"){".lower()" * bundle.data.lowercase}')
    text = "list(line)"
    if source.separator:
        text = f"[symbol for symbol in line.split({source.separator!r}) if symbol]"
    elif source.decompose:
        text = 'list(unicodedata.normalize("NFD", line))'
    lines.append(f"symbols = {text}")
    read = "symbols"
    if source.features_sep:
        parts = f"tags.split({source.features_sep!r})"
        lines.append(f'tags = [f"<{{tag.strip()}}>" for tag in {parts} if tag.strip()]')
        read = "symbols" if bundle.edits else "tags + symbols"
    ids = f"[source.index(symbol) if symbol in source else 1 for symbol in {read}]"
    return [*lines, *row_of(form, ids)]


def row_of(form: SourceForm, ids: str) -> list[str]:
    """Returns the lines that make the row of an expression for the ids."""
    before = f"{list(form.before)} + " if form.before else ""
    after = f" + {list(form.after)}" if form.after else ""
    filled = "" if before or after or form.length else f" or [{form.fill}]"
    lines = [f"row = {before}{ids}{'[::-1]' * form.reversed}{after}{filled}  # UNK for what is unknown, END"]
    if form.length:
        padding = f"[{form.fill}] * ({form.length} - len(row))"
        lines.append(f"row = {padding} + row" if form.left else f"row = row + {padding}")
    return lines


def tags_fed(bundle: Bundle) -> list[str]:
    """Returns the line that feeds a transducer's tags; it leaves unknown ones out."""
    if not bundle.edits or bundle.source_vocabulary is None or not bundle.source_vocabulary.features_sep:
        return []
    return ['feed["tag_ids"] = np.array([[source.index(tag) for tag in tags if tag in source] or [0]])  # PAD for none']


def text_program(bundle: Bundle) -> list[str]:
    """Returns the program of a language model."""
    window = int(bundle.record.get("restarts", 0))
    zeros = "np.zeros((1, port.shape[-1]), np.float32)"
    first = f'feed = {{port.name: {zeros} for port in step.get_inputs() if port.name != "token_ids"}}'
    choose = 'symbols.append(target[4 + int(found["logits"][0, 4:].argmax())])  # never END, since a text goes on'
    if window:
        loop = [
            f"for _ in range({GENERATED}):",
            f"    {first}",
            f"    for symbol in symbols[-{window}:]:  # read again from zeros",
            '        feed["token_ids"] = np.array([target.index(symbol) if symbol in target else 1])  # UNK',
            f"        found = {OUTPUTS}",
            f"        {FOLLOW}",
            f"    {choose}",
        ]
    else:
        loop = [
            first,
            f"for at in range(len(symbols) - 1 + {GENERATED}):",
            '    feed["token_ids"] = np.array([target.index(symbols[at]) if symbols[at] in target else 1])  # UNK',
            f"    found = {OUTPUTS}",
            f"    {FOLLOW}",
            "    if at == len(symbols) - 1:  # the beginning has been read",
            f"        {choose}",
        ]
    split, joined = text_symbols(TextForm.of(bundle.data), pattern='model["text"]["symbol"]')
    lowered = ".lower()" * bundle.data.lowercase
    return [
        f"import json, re, sys, unicodedata, {LIBRARIES}",
        *READ,
        'step = onnxruntime.InferenceSession("step.onnx")',
        f"target = {symbols_from('target', 4)}",
        f'text = sys.argv[1].replace("\\r\\n", "\\n"){lowered}',
        'text = unicodedata.normalize("NFC", text.replace("\\ufeff", ""))',
        f"symbols = {split}",
        'if not symbols: sys.exit("expected the beginning of a text, at least one symbol")',
        *loop,
        f"print({joined})",
    ]
