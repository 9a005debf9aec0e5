"""Takes the README's picture of the page, `python -m tests.picture`: a bundled model, asked in a real browser."""

import argparse
import shutil
from pathlib import Path

from seq2seq.bundle.record import PRETRAINED
from tests.docs import PICTURE, ROOT
from tests.running import make_app, running

WIDTH, HEIGHT = 1120, 860  # in CSS pixels; the picture has twice as many


def take(picture: Path, model: str, source: str) -> None:
    """Types a source into the page, looks at its first symbol's alternatives, and writes what the browser shows."""
    from playwright.sync_api import sync_playwright

    browsers = map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))
    with running(make_app(PRETRAINED / model)) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=next(filter(None, browsers)), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, device_scale_factor=2)
        page.goto(address)
        page.fill("#source", source)
        page.wait_for_selector("#panel-translate svg.grid")
        page.locator("#panel-translate .symbol").first.focus()
        page.wait_for_selector(".distribution .figure")
        page.screenshot(path=picture)
        browser.close()


def main() -> None:
    """Takes the picture."""
    parser = argparse.ArgumentParser(prog="python -m tests.picture", description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="fra-eng", help="a model of the package (default: %(default)s)")
    parser.add_argument("--source", default="Where is my key?", help="what is typed (default: %(default)s)")
    parser.add_argument("--to", type=Path, default=ROOT / PICTURE, help=f"the file (default: {PICTURE})")
    options = parser.parse_args()
    take(options.to, options.model, options.source)
    print(options.to)


if __name__ == "__main__":
    main()
