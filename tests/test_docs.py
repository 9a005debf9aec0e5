"""The documentation site: built from what exists, complete, without anything from elsewhere."""

import re

import pytest

from seq2seq.__main__ import VERBS
from seq2seq.diagnosis.catalogue import CATALOGUE
from tests import docs


def test_links_to_files_become_links_to_pages_and_others_plain_code():
    text = "[how](CONTRIBUTING.md#test), [a](notebooks/01_x.ipynb), [b](https://x.y), [`c`](seq2seq/c.py), [d](#here)"
    assert docs.with_links(text) == (
        "[how](contributing.md#test), [a](notebooks/01_x.md), [b](https://x.y), `c`, [d](#here)"
    )


def test_each_code_and_each_command_has_its_place():
    pages = dict(docs.pages())
    for code, entry in CATALOGUE.items():
        assert entry.title in pages[f"doctor/{code}.md"] and entry.fix in pages[f"doctor/{code}.md"]
    assert all(f"`seq2seq {verb}`" in pages["api.md"] for verb in VERBS)


@pytest.mark.filterwarnings("ignore")  # those of the site generator
def test_the_site_is_whole_and_loads_nothing_from_elsewhere(tmp_path):
    pytest.importorskip("mkdocs")
    docs.build(tmp_path / "site")
    names = {path.relative_to(tmp_path / "site").as_posix() for path in (tmp_path / "site").rglob("*.html")}
    assert {"index.html", "api.html", *(f"doctor/{code}.html" for code in CATALOGUE)} <= names
    assert {f"notebooks/{path.stem}.html" for path in (docs.ROOT / "notebooks").glob("*.ipynb")} <= names
    for path in (tmp_path / "site").rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert not re.findall(r'<(?:script|img|iframe)[^>]*src="(?:https?:)?//', text)
        assert not re.findall(r'<link[^>]*rel="(?:stylesheet|preconnect|icon)"[^>]*href="(?:https?:)?//', text)
    assert "translate" in (tmp_path / "site" / "api.html").read_text(encoding="utf-8")
    chinese = (tmp_path / "site" / "zh-cn.html").read_text(encoding="utf-8")
    assert 'id="网页与服务"' in chinese and 'href="#网页与服务"' in chinese and 'href="index.html"' in chinese


def test_a_folder_of_another_program_is_not_replaced(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(SystemExit, match="was not written by this program; move it away"):
        docs.build(tmp_path)
    assert (tmp_path / "mine.txt").read_text() == "mine"
