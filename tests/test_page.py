"""The page of the service, used in a real browser; skipped where no Chromium is installed."""

import itertools
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
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
SOURCE = "abcd."
SOURCES = ["abcd.", "efgh.", "ijklmn.", "op.", "qrst.", "uvwx.", "yzab.", "cdef.", "ghij.", "klmn.", "opqr.", "stuv."]
HEBREW = "שלום תודה בוקר ערב לילה טוב ספר בית ילד ילדה מים אור".split()


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


def is_error(said, allowed):
    """Whether the browser's log has an error, other than those that a test provokes."""
    return said.type == "error" and not any(each in said.text for each in allowed)


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

    def open_page(width=1200, allowed=(), **options):
        contexts.append(browser.new_context(viewport={"width": width, "height": 800}, **options))
        page = contexts[-1].new_page()
        page.set_default_timeout(120_000)
        page.on("request", lambda asked: None if asked.url.startswith(address) else foreign.append(asked.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda said: errors.append(said.text) if is_error(said, allowed) else None)
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
    assert page.evaluate("[...document.querySelectorAll('.symbol')].indexOf(document.activeElement)") == 1
    assert shown(page) == seq2seq.load(served["translator"]).translate([SOURCE], prefix=wanted)[0]
    page.keyboard.press("Shift+Tab")
    assert page.evaluate("document.activeElement.textContent") == "Undo the forced symbols"
    with page.expect_response("**/explain"):
        page.keyboard.press("Enter")
    page.wait_for_function("() => !document.querySelector('.symbol.forced')")
    assert shown(page) == before
    assert page.evaluate("[...document.querySelectorAll('.symbol')].indexOf(document.activeElement)") == 0


def test_escape_leaves_the_alternatives_and_keeps_the_place(opened):
    page = opened()
    typed(page)
    page.locator(".symbol").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    assert page.locator(".alternatives").count() == 1
    page.keyboard.press("Escape")
    assert page.locator(".alternatives").count() == 0
    assert page.evaluate("[...document.querySelectorAll('.symbol')].indexOf(document.activeElement)") == 1


def test_the_temperature_reshapes_the_distribution(opened, served):
    page = opened()
    typed(page)
    page.locator(".symbol").first.focus()
    page.wait_for_selector(".distribution[aria-busy=false]")
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
    assert page.locator(".written").text_content() == "The " + written.removeprefix("The ")


def look_again(page):
    """Lets the time pass until the page looks at the runs again."""
    page.clock.fast_forward(2000)


def test_the_curves_of_a_run_that_goes_on_grow(opened, served):
    shutil.rmtree(served["runs"], ignore_errors=True)
    checkpoint(served["runs"] / "going", epochs=2)
    page = opened()
    page.clock.install()
    page.click("#tab-runs")
    page.wait_for_selector("#panel-runs svg.chart")
    points = "document.querySelector('#panel-runs polyline').getAttribute('points').split(' ').length"
    assert page.evaluate(points) == 2
    checkpoint(served["runs"] / "going", epochs=3)
    look_again(page)
    page.wait_for_function(f"() => {points} === 3")
    assert "in training" in page.locator("#run").text_content()


def test_a_run_that_begins_later_appears(opened, served):
    shutil.rmtree(served["runs"], ignore_errors=True)
    page = opened()
    page.clock.install()
    page.click("#tab-runs")
    page.get_by_text("There is no run yet.").wait_for()
    assert not page.locator("#run").is_visible()
    (served["runs"] / "late").mkdir(parents=True)  # as a training does before its first step
    look_again(page)
    page.get_by_text("No checkpoint is written yet").wait_for()
    assert page.locator("#run").text_content() == "late (in training)"
    checkpoint(served["runs"] / "late", epochs=2)
    look_again(page)
    page.wait_for_selector("#panel-runs svg.chart")
    page.click("#panel-runs summary")
    checkpoint(served["runs"] / "late", epochs=3)
    look_again(page)
    page.wait_for_function("() => document.querySelectorAll('#panel-runs tbody tr').length === 3")
    assert page.locator("#panel-runs tbody").is_visible()  # the table that was open is open


def test_the_doctor_shows_what_is_wrong_with_a_file(opened, tmp_path):
    ids = np.random.default_rng(1).integers(4, 20, (50, 12))
    np.savez(tmp_path / "batch.npz", encoder_input=ids, decoder_input=ids[:, :-1], decoder_target=ids[:, :-1])
    page = opened()
    page.click("#tab-doctor")
    page.set_input_files("#files", tmp_path / "batch.npz")
    page.wait_for_selector(".finding.broken")
    assert "D01" in page.locator(".finding").first.text_content()
    assert page.locator(".finding .bars li").count() >= 5  # the share of equal symbols by shift


def test_a_long_source_is_drawn_in_few_elements(opened, served):
    page = opened()
    typed(page, "abcd." * 60)
    symbols = page.locator("#panel-translate .symbol").count()
    drawn = page.locator("svg.grid *").count()
    weights = seq2seq.load(served["translator"]).explain("abcd." * 60).as_dict()["attention"]
    seen = sum(weight >= 0.01 for row in weights for weight in row)
    assert drawn <= 2 * seen + 4 * (len(weights[0]) + symbols)


def test_an_output_goes_when_another_text_is_refused(opened):
    page = opened(allowed=["status of 400"])
    typed(page)
    page.fill("#source", "a" * 501)
    page.wait_for_selector("#problem:not([hidden])")
    assert page.locator("#problem").text_content().startswith("Source text: expected at most 500 symbols, got 501")
    assert page.locator("#panel-translate .symbol").count() == 0


def test_a_service_that_has_ended_is_named(opened):
    page = opened(allowed=["ERR_FAILED"])
    page.route("**/explain", lambda route: route.abort())
    page.fill("#source", SOURCE)
    page.wait_for_selector("#problem:not([hidden])")
    assert page.locator("#problem").text_content().startswith("The service does not answer: ")


@pytest.mark.parametrize(
    ("events", "problem"),
    [
        ('data: {"choices": [{"text": "a"}]}\n\ndata: {"error": {"message": "it failed"}}\n\n', "it failed"),
        ('data: {"choices": [{"text": "a"}]}\n\n', "The service does not answer: the stream ended before its end"),
    ],
)
def test_a_stream_that_breaks_off_is_not_taken_for_a_whole_one(opened, events, problem):
    page = opened()
    page.route("**/v1/completions", lambda route: route.fulfill(body=events, content_type="text/event-stream"))
    page.select_option("#model", label="language")
    page.click("#panel-write button.main")
    page.wait_for_selector("#problem:not([hidden])")
    assert page.locator("#problem").text_content() == problem
    assert page.locator(".written").text_content() == "a"


def test_the_page_asks_for_a_key_until_one_is_right(browser, tiny_bundle):
    with (
        running(make_app(tiny_bundle(), api_keys=["secret"])) as address,
        browser.new_context(locale="en-GB") as context,
    ):
        page = context.new_page()
        page.set_default_timeout(120_000)
        errors = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(address)
        page.wait_for_selector("#api-key")
        assert page.locator("#problem").text_content() == "The service asks for an API key."
        page.click("#language")
        assert page.locator("#problem").text_content() == "服务要求 API 密钥。"
        page.click("#language")
        for wrong in ("other", "ключ"):  # the second one cannot stand in a header
            page.fill("#api-key", wrong)
            page.keyboard.press("Enter")
            page.get_by_text("This API key is not valid").wait_for()
            page.reload()
            page.wait_for_selector("#api-key")
        page.fill("#api-key", "secret")
        page.keyboard.press("Enter")
        page.wait_for_selector("#source")
        assert errors == []


def test_an_example_of_the_model_is_translated_by_a_click(opened, served):
    page = opened()
    examples = page.locator(".example")
    source = examples.first.text_content()
    canary = json.loads((served["translator"] / "canary.json").read_text())
    assert examples.all_text_contents() == [entry["source"] for entry in canary[:3]]
    with page.expect_response("**/explain"):
        examples.first.click()
    page.wait_for_selector("#panel-translate .symbol")
    assert page.input_value("#source") == source
    assert shown(page) == seq2seq.load(served["translator"]).translate([source])[0]


def test_a_view_takes_a_model_of_its_kind_and_gives_the_other_one_back(opened):
    page = opened()
    page.select_option("#model", label="edits")
    chosen = "document.getElementById('model').selectedOptions[0].textContent"
    page.click("#tab-write")
    assert page.evaluate(chosen) == "language"
    page.click("#tab-compare")
    assert page.evaluate(chosen) == "edits"
    groups = page.locator("#model optgroup").evaluate_all("all => all.map((each) => each.label)")
    assert groups == ["Translators", "Transducers", "Language models"]


def test_a_view_without_a_model_says_how_to_get_one(browser, tiny_bundle):
    with running(make_app(tiny_bundle())) as address, browser.new_context(locale="en-GB") as context:
        page = context.new_page()
        page.set_default_timeout(120_000)
        page.goto(address)
        page.click("#tab-write")
        expected = "The service has no language model. Start it with one, such as: seq2seq serve --model prose"
        assert page.locator("#panel-write").text_content() == expected


def test_the_source_stays_when_strategies_are_compared(opened):
    page = opened()
    typed(page)
    page.click("#tab-compare")
    assert page.input_value("#compared") == SOURCE


def test_the_symbol_whose_distribution_is_shown_is_marked(opened):
    page = opened()
    typed(page)
    marked = page.locator(".symbol.looked")
    assert marked.count() == 1
    page.locator(".symbol").nth(1).focus()
    assert marked.count() == 1
    assert page.evaluate("[...document.querySelectorAll('.symbol')].findIndex((one) => one.matches('.looked'))") == 1
    page.locator(".distribution .quiet", has_text=f"After “{shown(page)[0]}”").wait_for()


def test_long_names_of_source_symbols_do_not_lie_on_each_other(opened):
    page = opened()
    boxes = """(names) => import('/static/heatmap.js').then(({mapOf}) => {
      const peaks = [names.map((_, place) => [place, 1 / names.length])];
      const map = mapOf({symbols: [{symbol: "a"}], source: names, peaks});
      document.getElementById('main').append(map);
      return [...map.querySelectorAll('text')].slice(0, names.length).map((each) => each.getBoundingClientRect());
    })"""
    for names in (["<SBJV>", "<FUT>", "<2>"], ["a", "語", "b"]):
        found = page.evaluate(boxes, names)
        assert all(one["right"] <= other["left"] + 1 for one, other in itertools.pairwise(found)), names


@pytest.mark.parametrize(
    ("high", "expected"),
    [(3.02, [0, 1, 2, 3, 4]), (84.5, [0, 20, 40, 60, 80, 100]), (0.004, [0, 0.001, 0.002, 0.003, 0.004]), (0, [0, 1])],
)
def test_the_axis_of_a_chart_has_round_values(opened, high, expected):
    page = opened()
    texts = page.evaluate(
        """(high) => import('/static/charts.js').then(({lineChart}) =>
          [...lineChart('loss', [{name: 'a', points: [[1, high], [2, 0]]}]).querySelectorAll('text')]
            .filter((each) => each.getAttribute('text-anchor') === 'end').map((each) => Number(each.textContent)))""",
        high,
    )
    assert texts[: len(expected)] == expected


def test_a_log_probability_of_nearly_zero_has_no_sign(opened):
    page = opened()
    found = page.evaluate("import('/static/dom.js').then(({nats}) => [-0.001, 0, -0.006, -12.345].map(nats))")
    assert found == ["0.00", "0.00", "−0.01", "−12.35"]


@pytest.mark.parametrize("locale", ["en-GB", "zh-CN"])
def test_all_views_can_be_chosen_on_a_narrow_screen(opened, locale):
    page = opened(width=360, locale=locale)
    tabs = page.locator("[role=tab]").all()
    assert len(tabs) == 5
    for tab in tabs:
        box = tab.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= 360
    assert len({tab.bounding_box()["y"] for tab in tabs}) == 1


def luminance(colour):
    """Relative luminance of 0 to 255 for red, green and blue. Source: WCAG 2.2."""
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in np.array(colour) / 255]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


def contrast(one, other):
    """Contrast of two colours, 1 to 21."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_text_and_controls_have_the_contrast_that_wcag_asks_for(theme):
    from seq2seq.serving.app import PAGE

    style = (PAGE / "style.css").read_text(encoding="utf-8")
    block = re.search(rf'data-theme="{theme}"\] \{{(.*?)\}}', style, re.DOTALL)[1]
    named = dict(re.findall(r"--([\w-]+): ([^;]+);", block))
    colours = {name: np.array([int(value[at : at + 2], 16) for at in (1, 3, 5)])
               for name, value in named.items() if value.startswith("#")}  # fmt: skip
    colours |= {name: np.array([*map(int, named[name].split())]) for name in ("accent", "doubt", "warm")}
    strongest = float(named["strongest"])
    colours["uncertain"] = strongest * colours["doubt"] + (1 - strongest) * colours["card"]
    texts = "text/ground quiet/ground text/card quiet/card bad/card good/ground warm/card accent/card card/accent"
    for pair in f"{texts} text/mark text/uncertain".split():
        assert contrast(*(colours[name] for name in pair.split("/"))) >= 4.5, pair
    for pair in "control/card control/ground warm/card accent/ground".split():
        assert contrast(*(colours[name] for name in pair.split("/"))) >= 3, pair


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
    assert page.evaluate("getComputedStyle(document.querySelector('.symbols')).direction") == "rtl"
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
