"""Writes the Python program that stands in an export's README: it decodes one line, as far as the model needs."""

from seq2seq.bundle.folder import Bundle
from seq2seq.text.prose import TextForm
from seq2seq.text.source_layout import SourceForm

GENERATED = 100  # symbols that the program of a language model writes
LIBRARIES = "numpy as np, onnxruntime"
READ = ['model = json.load(open("model.json", encoding="utf-8"))']
SYMBOLS = '[""] * 4 + model[f"{side}_vocabulary"]["symbols"]'
OUTPUTS = "dict(zip([port.name for port in step.get_outputs()], step.run(None, feed)))"
FOLLOW = 'feed = {name: found.get(f"next_{name}", value) for name, value in feed.items()}'


def program(bundle: Bundle) -> str:
    """Returns the program for a model: it takes the line, or the beginning of a text, as its argument."""
    lines = text_program(bundle) if bundle.source_vocabulary is None else line_program(bundle)
    return "\n".join(lines) + "\n"


def line_program(bundle: Bundle) -> list[str]:
    """Returns the program of a translator."""
    target = bundle.target_vocabulary
    written = ["text.append(target[token])"]
    limit = 'model["max_length"]'
    if bundle.edits:
        limit = 'len(row) + model["max_length"]'
        copied, other = 'symbols[found["next_positions"][0]]', "target[4 + (token - 6) % (len(target) - 4)]"
        written = [
            "if token != 5:  # 5 DELETE, 4 COPY, others SUB and INS",
            f"    text.append({copied} if token == 4 else {other})",
        ]
    joined = f"{target.separator!r}.join(text)"
    if target.decompose and not target.separator:
        joined = f'unicodedata.normalize("NFC", {joined})'
    return [
        f"import json, sys, unicodedata, {LIBRARIES}",
        *READ,
        'encoder, step = (onnxruntime.InferenceSession(f"{name}.onnx") for name in ("encoder", "step"))',
        f"source, target = ({SYMBOLS} for side in ('source', 'target'))  # by id",
        *reading(bundle),
        'feed = {"source_ids": np.array([row]), "source_mask": np.ones((1, len(row)), bool)}',
        *tags_fed(bundle),
        "feed.update(zip([port.name for port in encoder.get_outputs()], encoder.run(None, feed)))",
        'feed["token_ids"], text = np.array([2]), []  # START',
        "feed = {port.name: feed[port.name] for port in step.get_inputs()}",
        f"for _ in range({limit}):",
        f"    found = {OUTPUTS}",
        '    token = 3 + int(found["logits"][0, 3:].argmax())  # never PAD, UNK or START',
        "    if token == 3: break  # END",
        *(f"    {line}" for line in written),
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
    lines = [f"row = {before}{ids}{'[::-1]' * form.reversed}{after}  # UNK for what is unknown, END"]
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
    split, joined = text_symbols(TextForm.of(bundle.data))
    lowered = ".lower()" * bundle.data.lowercase
    return [
        f"import json, re, sys, unicodedata, {LIBRARIES}",
        *READ,
        'step = onnxruntime.InferenceSession("step.onnx")',
        'target = [""] * 4 + model["target_vocabulary"]["symbols"]  # by id',
        f'text = sys.argv[1].replace("\\r\\n", "\\n"){lowered}',
        'text = unicodedata.normalize("NFC", text.replace("\\ufeff", ""))',
        f"symbols = {split}",
        *loop,
        f"print({joined})",
    ]


def text_symbols(form: TextForm) -> tuple[str, str]:
    """Returns expressions: the symbols of `text`, and the text of `symbols`."""
    if form.unit == "word":
        return 're.findall(model["text"]["symbol"], text, re.DOTALL)', '"".join(symbols)'
    if not form.separator:
        return "list(text)", '"".join(symbols)'
    apart = repr(form.separator)
    if "\n" in form.separator:
        return f"[symbol for symbol in text.split({apart}) if symbol]", f"{apart}.join(symbols)"
    lines = f'text.replace("\\n", {form.separator + chr(10) + form.separator!r})'
    joined = f"{apart}.join(symbols).replace({form.separator + chr(10)!r}, {chr(10)!r})"
    return (
        f"[symbol for symbol in {lines}.split({apart}) if symbol]",
        f"{joined}.replace({chr(10) + form.separator!r}, {chr(10)!r})",
    )
