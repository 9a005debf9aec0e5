"""The page of the service, used in a real browser; skipped where no Chromium is installed."""

import json
import re
import shutil

import numpy as np
import pytest
from conftest import bundle_maker
from running import make_app, running
from tiny_language import make_model

import seq2seq

sync_api = pytest.importorskip("playwright.sync_api")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed"),
    pytest.mark.xdist_group("page"),  # one worker, so that one browser serves all tests
]
SOURCE = "abcd."
SOURCES = ["abcd.", "efgh.", "ijklmn.", "op.", "qrst.", "uvwx.", "yzab.", "cdef.", "ghij.", "klmn.", "opqr.", "stuv."]
HEBREW = "שלום תודה בוקר ערב לילה טוב ספר בית ילד ילדה מים אור".split()


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Serves a translator, a transducer, one that writes Hebrew and a language model; their folders and the address."""
    place = tmp_path_factory.mktemp("served")
    make = bundle_maker(place)
    hebrew = [f"{source}\t{target}" for source, target in zip(SOURCES, HEBREW, strict=True)]
    folders = {
        "translator": make("translator", hidden_size=16),
        "edits": make("edits", architecture="transducer", hidden_size=16),
        "hebrew": make("hebrew", rows=hebrew),
        "language": make_model(place / "language").bundle.path,
    }
    with running(make_app(*folders.values(), runs=place / "runs", doctor=True)) as address:
        yield {**folders, "runs": place / "runs", "address": address}


@pytest.fixture
def opened(browser, served):
    """Opens the page at a width; at the end, nothing came from elsewhere, and the browser's log has no error."""
    contexts, foreign, errors = [], [], []
    address = served["address"]

    def open_page(width=1200, **options):
        contexts.append(browser.new_context(viewport={"width": width, "height": 800}, **options))
        page = contexts[-1].new_page()
        page.set_default_timeout(20_000)
        page.on("request", lambda asked: None if asked.url.startswith(address) else foreign.append(asked.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
        page.goto(address)
        page.wait_for_selector("#tab-translate")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert (foreign, errors) == ([], [])


def checkpoint(run, *, epochs):
    """Writes what a training that goes on leaves after some epochs."""
    folder = run / f"checkpoint-{epochs}"
    folder.mkdir(parents=True)
    history = [
        {"epoch": epoch, "train_loss": 1 / epoch, "loss": 2 / epoch, "chrf": 10.0 * epoch}
        for epoch in range(1, epochs + 1)
    ]
    (folder / "progress.json").write_text(json.dumps({"history": history}))
    (run / "current").write_text(folder.name + "\n")


def typed(page, text=SOURCE):
    """Types a source and waits for its output."""
    with page.expect_response("**/explain"):
        page.fill("#source", text)
    page.wait_for_selector("#panel-translate .symbol")


def shown(page):
    """The output that the page shows, without the sign of END."""
    return "".join(page.locator("#panel-translate .symbol:not(.end)").all_text_contents())


def test_the_output_appears_as_the_source_is_typed(opened, served):
    page = opened()
    typed(page)
    assert shown(page) == seq2seq.load(served["translator"]).translate([SOURCE])[0]
    assert page.locator("#panel-translate svg.grid").count() == 1
    assert "Output" in page.locator("#said").text_content()


def test_an_alternative_is_forced_with_the_keyboard_alone(opened, served):
    page = opened()
    typed(page)
    before = shown(page)
    page.locator(".symbol").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowDown")  # the second alternative
    chosen = page.evaluate("document.activeElement.querySelector('.sign').textContent")
    with page.expect_response("**/explain"):
        page.keyboard.press("Enter")
    page.wait_for_selector(".symbol.forced")
    wanted = before[0] + (" " if chosen == "␣" else chosen)
    assert shown(page) == seq2seq.load(served["translator"]).translate([SOURCE], prefix=wanted)[0]
    with page.expect_response("**/explain"):
        page.get_by_role("button", name="Undo the forced symbols").click()
    page.wait_for_function("() => !document.querySelector('.symbol.forced')")
    assert shown(page) == before


def test_the_temperature_reshapes_the_distribution(opened, served):
    page = opened()
    typed(page)
    page.locator(".symbol").first.focus()
    figures = page.locator(".distribution .figure")
    warm = figures.all_text_contents()
    page.locator("#temperature").fill("0.1")
    cold = figures.all_text_contents()
    best = seq2seq.load(served["translator"]).explain(SOURCE, alternatives=500).symbols[0].alternatives
    raised = np.array([each.probability for each in best]) ** 10.0
    assert warm != cold
    assert float(cold[0].removesuffix(" %")) == pytest.approx(100 * raised[0] / raised.sum(), rel=0.01)


def test_a_transducer_shows_its_edit_path(opened, served):
    page = opened()
    page.select_option("#model", label="edits")
    typed(page)
    path = seq2seq.load(served["edits"]).explain(SOURCE).as_dict()["actions"]
    assert page.locator("svg.grid .action").count() == len(path)
    assert page.get_by_text("Edit path").count() == 1


def test_strategies_stand_side_by_side_and_the_beam_has_its_tree(opened, served):
    page = opened()
    page.click("#tab-compare")
    page.fill("#compared", SOURCE)
    page.wait_for_selector("svg.tree")
    page.wait_for_function("() => document.querySelectorAll('.strategies .symbols').length === 6")
    texts = [
        "".join(each.locator(".symbol:not(.end)").all_text_contents())
        for each in page.locator(".strategies section").all()
    ]
    model = seq2seq.load(served["translator"])
    assert texts[0] == model.translate([SOURCE])[0]
    assert texts[1] == model.translate([SOURCE], beam_size=4)[0]
    assert texts[2] == model.translate([SOURCE], temperature=0.4, seed=1)[0]
    assert page.locator("svg.tree g.pruned").count() > 0


def test_a_language_model_streams_and_marks_quotations(opened, served):
    page = opened()
    page.select_option("#model", label="language")
    page.fill("#prompt", "The ")
    page.fill("#length", "60")
    with page.expect_response("**/novelty"):
        page.click("#panel-write button.main")
    page.wait_for_function("() => document.querySelector('#panel-write > p').textContent !== ''")
    written = seq2seq.load(served["language"]).generate("The ", length=60, temperature=0.7, seed=1)
    assert page.locator(".written").text_content() == written if written.startswith("The ") else "The " + written


def test_the_curves_of_a_run_that_goes_on_grow(opened, served):
    checkpoint(served["runs"] / "going", epochs=2)
    page = opened()
    page.click("#tab-runs")
    page.wait_for_selector("#panel-runs svg.chart")
    points = "document.querySelector('#panel-runs polyline').getAttribute('points').split(' ').length"
    assert page.evaluate(points) == 2
    checkpoint(served["runs"] / "going", epochs=3)
    page.wait_for_function(f"() => {points} === 3")
    assert "in training" in page.locator("#run").text_content()


def test_the_doctor_shows_what_is_wrong_with_a_file(opened, tmp_path):
    ids = np.random.default_rng(1).integers(4, 20, (50, 12))
    np.savez(tmp_path / "batch.npz", encoder_input=ids, decoder_input=ids[:, :-1], decoder_target=ids[:, :-1])
    page = opened()
    page.click("#tab-doctor")
    page.set_input_files("#files", tmp_path / "batch.npz")
    page.wait_for_selector(".finding.broken", timeout=60_000)
    assert "D01" in page.locator(".finding").first.text_content()
    assert page.locator(".finding .bars li").count() >= 5  # the share of equal symbols by shift


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_nothing_is_cut_off_on_a_narrow_screen(opened, theme):
    page = opened(width=360, color_scheme=theme)
    for name in ("translate", "compare", "write", "runs", "doctor"):
        page.click(f"#tab-{name}")
        if name == "translate":
            typed(page, SOURCE * 6)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, name
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 24, 31)"
    assert dark == (theme == "dark")


def test_right_to_left_text_runs_from_right_to_left(opened):
    page = opened()
    page.select_option("#model", label="hebrew")
    typed(page)
    first, last = page.locator(".symbol").first, page.locator(".symbol:not(.end)").last
    if page.evaluate("getComputedStyle(document.querySelector('.symbols')).direction") == "rtl":
        assert first.bounding_box()["x"] >= last.bounding_box()["x"]
    assert page.locator(".symbols").get_attribute("dir") == "auto"


def test_the_page_speaks_chinese(opened):
    page = opened(locale="zh-CN")
    assert page.locator("#tab-translate").text_content() == "翻译"
    page.click("#language")
    assert page.locator("#tab-translate").text_content() == "Translate"
    assert page.evaluate("document.documentElement.lang") == "en"


def test_both_languages_have_the_same_words():
    from seq2seq.serving.app import PAGE

    text = (PAGE / "words.js").read_text(encoding="utf-8")
    english, chinese = (set(re.findall(r'[\s,]"?([\w-]+)"?: "', part)) for part in text.split("  zh: {"))
    assert len(english) > 50
    assert english == chinese


def test_every_control_has_a_name(opened):
    page = opened()
    typed(page)
    for name in ("translate", "compare", "runs", "doctor"):
        page.click(f"#tab-{name}")
        unnamed = page.evaluate(
            """[...document.querySelectorAll('button, input, select, textarea, [role]')].filter((each) =>
              each.offsetParent !== null && !each.labels?.length && !each.getAttribute('aria-label') &&
              !each.getAttribute('aria-labelledby') && !each.textContent.trim() && !each.querySelector('title'))
              .map((each) => each.outerHTML)"""
        )
        assert unnamed == []
