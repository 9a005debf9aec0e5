"""Models that run in a browser without a server, against the library; skipped where no Chromium is installed."""

import functools
import re
import shutil
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from conftest import SYLLABLES, bundle_maker
from tiny_language import make_model

from seq2seq import export
from seq2seq.api import load
from seq2seq.decoding.draws import uniforms
from seq2seq.search_config import DecodingConfig

sync_api = pytest.importorskip("playwright.sync_api")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
TAGGED = [f"{one}{other}\t{other}{one}\tV;{'PST' if one < 'i' else 'PRS'}" for one in SYLLABLES for other in SYLLABLES]
ACCENTS = [f"é{one}각{other}\tê{other}한{one}" for one in SYLLABLES for other in SYLLABLES]
FORMS = {
    "plain": {},
    "gru": {"rnn": "gru", "layers": 2, "attention": "bahdanau"},
    "deep": {"layers": 2, "bidirectional": False},
    "unattending": {"attention": "none", "layers": 2},
    "tagged": {"rows": TAGGED, "data": {"features_col": 3}},
    "accents": {"rows": ACCENTS, "data": {"decompose": True, "lowercase": True}},
    "edits": {"architecture": "transducer"},
    "edits-gru": {"architecture": "transducer", "rnn": "gru", "layers": 2},
    "edits-tagged": {"architecture": "transducer", "rows": TAGGED, "data": {"features_col": 3}},
    "edits-accents": {"architecture": "transducer", "rows": ACCENTS, "data": {"decompose": True}},
}
LINES = ["abcd.", " \x85\x1fefgh.\x1c ", "", "a", "ABCD’é", "abab\tV;PST;X", "éab각mn", "ﬁ\u0301?", "opopop" * 6]
TAGGED_FORMS = [name for name in FORMS if "tagged" in name]
SEARCHES = (
    {},
    {"beam_size": 4},
    {"beam_size": 3, "length_penalty": 0.5, "prefix": "ba", "min_length": 4},
    {"temperature": 1.0, "seed": 5},
    {"temperature": 0.8, "seed": 2**40, "top_k": 4, "top_p": 0.9, "min_p": 0.01, "max_length": 7},
)
JAVASCRIPT = {
    "beam_size": "beamSize", "length_penalty": "lengthPenalty", "min_length": "minLength", "max_length": "maxLength",
    "top_k": "topK", "top_p": "topP", "min_p": "minP",
}  # fmt: skip
DECODE = """async ({folder, lines, options}) => {
    const {load} = await import(`/${folder}/static/seq2seq.js`);
    const model = await load(`/${folder}/model/`);
    return lines.map((line, place) => model.outputs(line, {...options, number: place + 1}).map(
        ({text, score, logProbs, finished}) => ({text, score, logProbs, finished})));
}"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Model folders of every form, and `out/`, which has their exports."""
    folder = tmp_path_factory.mktemp("web")
    make = bundle_maker(folder)
    for name, form in FORMS.items():
        make(name, hidden_size=12, **form) if "rows" in form else make(name, **form)
    make_model(folder / "language", layers=2)
    for name in (*FORMS, "language"):
        assert export.main(["--format", "web", "--model", str(folder / name), "-o", str(folder / "out" / name)]) == 0
    return folder


@pytest.fixture(scope="module")
def address(place):
    """A static host of the exports."""
    handler = functools.partial(Quiet, directory=str(place / "out"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


class Quiet(SimpleHTTPRequestHandler):
    """Serves files without a log."""

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def tab(address):
    """A tab of a browser that reaches the static host alone."""
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        tab = browser.new_page()
        tab.foreign, tab.errors = [], []
        tab.on("request", lambda request: tab.foreign.append(request.url) if address not in request.url else None)
        tab.on("pageerror", lambda error: tab.errors.append(str(error)))
        tab.on("console", lambda said: tab.errors.append(said.text) if said.type == "error" else None)
        tab.goto(f"{address}/plain/README.md")
        yield tab
        browser.close()
        assert not tab.foreign


@pytest.mark.parametrize("options", SEARCHES, ids=["greedy", "beam", "prefix", "sampled", "filtered"])
@pytest.mark.parametrize("name", FORMS)
def test_a_browser_says_what_the_library_says(place, tab, name, options):
    model = load(place / name)
    lines = [line if "\t" in line else f"{line}\tV;PST" for line in LINES] if name in TAGGED_FORMS else LINES
    named = {JAVASCRIPT.get(key, key): value for key, value in options.items()}
    found = tab.evaluate(DECODE, {"folder": name, "lines": lines, "options": named})
    outputs = model.outputs(lines, DecodingConfig(**options, n_best=options.get("beam_size", 1)))
    for line, here, expected in zip(lines, found, outputs, strict=True):
        expected = expected if line else expected[:1]  # the library repeats the output of an empty line
        assert [one["text"] for one in here] == [one.text for one in expected], line
        for one, other in zip(here, expected, strict=True):
            assert one["score"] == pytest.approx(other.score, abs=1e-4), line
            assert one["logProbs"] == pytest.approx(other.log_probs, abs=1e-4), line
            assert one["finished"] == other.finished, line


def test_a_language_model_writes_in_a_browser_what_it_writes_here(place, tab):
    model = load(place / "language")
    for options in ({"temperature": 0.0}, {"temperature": 0.9, "seed": 4}, {"temperature": 1.3, "seed": 9, "top_k": 6}):
        named = {JAVASCRIPT.get(key, key): value for key, value in options.items()}
        found = tab.evaluate(
            """async ({prompt, options}) => {
                const {load} = await import("/language/static/seq2seq.js");
                return (await load("/language/model/")).generate(prompt, options);
            }""",
            {"prompt": "The ferry\r\n", "options": {**named, "length": 60}},
        )
        assert found.replace("\r\n", "\n") == model.generate("The ferry\r\n", length=60, **options)


def test_numbers_of_draws_are_those_of_numpy(tab):
    cases = [(0, 1, 0), (7, 3, 2), (2**53 - 1, 10**6, 5)]
    found = tab.evaluate(
        """async (cases) => {
            const {uniforms} = await import("/plain/static/draws.js");
            return cases.map((each) => { const at = uniforms(...each); return [...Array(150).keys()].map(at); });
        }""",
        cases,
    )
    for case, numbers in zip(cases, found, strict=True):
        assert numbers == [float(each) for each in uniforms(*case, 0, 150)]


@pytest.mark.parametrize("name", ["plain", "edits", "edits-tagged"])
def test_an_explanation_is_that_of_the_library(place, tab, name):
    line = "abcd.\tV;PST" if name in TAGGED_FORMS else "abcd."
    found = tab.evaluate(
        """async ({name, line}) => {
            const {load} = await import(`/${name}/static/seq2seq.js`);
            return (await load(`/${name}/model/`)).explain(line, {alternatives: 4, prefix: "b"});
        }""",
        {"name": name, "line": line},
    )
    expected = load(place / name).explain(line, alternatives=4, prefix="b").as_dict()
    assert {key: found[key] for key in ("model", "kind", "text", "source", "seed")} == {
        key: expected[key] for key in ("model", "kind", "text", "source", "seed")
    }
    assert found["score"] == pytest.approx(expected["score"], abs=1e-4)
    for here, there in zip(found["symbols"], expected["symbols"], strict=True):
        assert (here["symbol"], here["forced"]) == (there["symbol"], there["forced"])
        assert here["probability"] == pytest.approx(there["probability"], abs=1e-4)
        assert [each["symbol"] for each in here["alternatives"]] == [each["symbol"] for each in there["alternatives"]]
    if name == "plain":
        for here, there in zip(found["attention"], expected["attention"], strict=True):
            assert here == pytest.approx(there, abs=1e-4)
    else:
        keys = ("action", "position", "symbol")
        assert [[each[key] for key in keys] for each in found["actions"]] == [
            [each[key] for key in keys] for each in expected["actions"]
        ]


def test_the_page_works_without_a_service(place, tab, address):
    expected = load(place / "edits").translate(["abcd."])[0]
    tab.errors.clear()  # the tab looked for an icon of the README
    tab.goto(f"{address}/edits/index.html")
    tab.fill("#source", "abcd.")
    tab.wait_for_function(
        "text => document.querySelector('.output')?.innerText.replace(/\\s/g, '').includes(text)", arg=expected
    )
    assert tab.locator("[role=tab]").all_inner_texts() == ["Translate", "Compare"]
    assert tab.locator(".map").count() == 1
    tab.click("#tab-compare")
    tab.wait_for_selector(".strategies .symbol")
    tab.goto(f"{address}/language/index.html")
    tab.fill("#prompt", "The ")
    tab.fill("#length", "30")
    tab.click("button.main")
    tab.wait_for_function("document.querySelector('.written')?.innerText.length >= 30")
    assert not tab.errors


def test_the_readme_of_an_export_shows_code_that_runs(place, tab, address):
    for name in ("plain", "language"):
        text = (place / "out" / name / "README.md").read_text(encoding="utf-8")
        page = text.split("```html\n")[1].split("```")[0]
        (place / "out" / name / "own.html").write_text(f"<!doctype html><title>own</title>{page}", encoding="utf-8")
        with tab.expect_console_message(lambda said: said.type == "log") as said:
            tab.goto(f"{address}/{name}/own.html")
        assert said.value.text
    said = (place / "out" / "plain" / "README.md").read_text(encoding="utf-8").split("`outputs` returns")[1]
    keys = re.findall("`([a-zA-Z]+)`", said.split("`explain`")[0])
    tab.goto(f"{address}/plain/index.html")
    found = tab.evaluate(
        "import('./static/seq2seq.js').then(async ({load}) => Object.keys((await load('./model/')).outputs('ab.')[0]))"
    )
    assert keys == ["text", "symbols", "logProbs", "score", "finished"] and set(keys) <= set(found)


def test_what_the_scripts_cannot_run_is_refused(place, tmp_path, capsys):
    words = make_model(tmp_path / "words", data={"unit": "word"}).bundle.path
    assert export.main(["--format", "web", "--model", str(words), "-o", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err == (
        f"seq2seq export: error: {words}: is a language model of words or separated symbols, which --format web does "
        "not write; use `serve`\n"
    )
    assert not (tmp_path / "out").exists()
