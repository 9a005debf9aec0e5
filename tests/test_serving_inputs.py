"""Every endpoint of the service against texts and bodies that nobody means: a table, whose cells are HTTP statuses."""

import json

import httpx
import pytest
from conftest import bundle_maker
from running import make_app, running
from tiny_language import make_model

from seq2seq.serving.limits import Limits
from tests.test_inputs import FAMILY, RIGHT_TO_LEFT

TABLE = """
                /translate /explain /v1/completions /novelty
a text          200        200      200             200
empty           200        200      200             200
no such field   400        400      400             400
null            400        400      400             400
a number        400        400      400             400
nested lists    400        400      400             400
binary          400        400      400             400
no JSON         400        400      400             400
deep JSON       400        400      400             400
latin-1         400        400      400             400
long line       400        400      400             400
many lines      400        400      400             200
huge body       413        413      413             413
NUL             200        200      200             200
lone surrogates 400        400      400             200
right to left   200        200      200             200
emoji           200        200      200             200
unknown model   404        404      404             404
"""
RIGHT = {
    "/translate": {"q": "abcd.", "source": "source", "target": "target", "model": "tiny"},
    "/explain": {"q": "abcd.", "model": "tiny"},
    "/v1/completions": {"prompt": "Ada", "model": "text", "max_tokens": 3, "seed": 1},
    "/novelty": {"text": "The ferry left the quay at seven.", "model": "text"},
}
FIELDS = {"/translate": "q", "/explain": "q", "/v1/completions": "prompt", "/novelty": "text"}
LIMITS = Limits(max_length=120, max_lines=50, max_bytes=20_000)
TEXTS = {
    "empty": "",
    "null": None,
    "a number": 5,
    "nested lists": [[["a"]]],
    "long line": "a" * 10_000,
    "many lines": "a\n" * 101,
    "huge body": "a" * 20_000,
    "NUL": "ab\x00cd",
    "lone surrogates": "ab\ud800cd",
    "right to left": RIGHT_TO_LEFT,
    "emoji": FAMILY,
}


def parsed():
    first, *others = TABLE.strip("\n").split("\n")
    width = len("lone surrogates") + 1
    rows = {line[:width].strip(): line[width:].split() for line in others}
    return [
        (row, path, int(status))
        for row, statuses in rows.items()
        for path, status in zip(first.split(), statuses, strict=True)
    ]


def body(row, path):
    """Returns the bytes of a request."""
    fields = dict(RIGHT[path])
    if row == "binary":
        return bytes(range(256))
    if row == "no JSON":
        return b'{"q": '
    if row == "deep JSON":
        return b'{"%s": %s}' % (FIELDS[path].encode(), b"[" * 5000 + b"]" * 5000)
    if row == "latin-1":
        return json.dumps({**fields, FIELDS[path]: "né"}, ensure_ascii=False).encode("latin-1")
    if row == "no such field":
        fields["nonsense"] = fields.pop(FIELDS[path])
    if row == "unknown model":
        fields["model"] = "nobody"
    if row in TEXTS:
        fields[FIELDS[path]] = TEXTS[row]
    return json.dumps(fields).encode()


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    text = make_model(folder / "text").bundle.path
    with running(make_app(bundle_maker(folder)(), text, limits=LIMITS, runs=folder)) as found:
        yield found


@pytest.mark.parametrize(("row", "path", "status"), parsed(), ids=lambda value: str(value))
def test_a_body_that_nobody_means(address, row, path, status, capfd):
    answer = httpx.post(
        address + path, content=body(row, path), headers={"Content-Type": "application/json"}, timeout=60
    )
    assert answer.status_code == status, answer.text
    if status != 200:
        error = answer.json()["error"]
        assert error["message"] if path.startswith("/v1") else error
    assert "Traceback" not in capfd.readouterr().err
