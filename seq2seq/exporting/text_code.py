"""Python expressions for the programs in READMEs: the symbols of a text, and the text of symbols."""

from seq2seq.text.prose import TextForm


def text_symbols(form: TextForm, *, pattern: str, symbols: str = "symbols") -> tuple[str, str]:
    """Returns expressions: the symbols of `text`, and the text of `symbols`.

    Args:
        form: how the model splits texts.
        pattern: an expression for the regular expression of words.
        symbols: an expression for the symbols that are joined.

    """
    if form.unit == "word":
        return f"re.findall({pattern}, text, re.DOTALL)", f'"".join({symbols})'
    if not form.separator:
        return "list(text)", f'"".join({symbols})'
    apart = repr(form.separator)
    if "\n" in form.separator:
        return f"[symbol for symbol in text.split({apart}) if symbol]", f"{apart}.join({symbols})"
    lines = f'text.replace("\\n", {form.separator + chr(10) + form.separator!r})'
    joined = f"{apart}.join({symbols}).replace({form.separator + chr(10)!r}, {chr(10)!r})"
    return (
        f"[symbol for symbol in {lines}.split({apart}) if symbol]",
        f"{joined}.replace({chr(10) + form.separator!r}, {chr(10)!r})",
    )
