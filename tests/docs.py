"""Builds the documentation site, `python -m tests.docs`: README, notebooks, API reference, a page for each doctor code.

Nothing is written twice: the pages are made in a temporary folder from both READMEs, CONTRIBUTING.md, CHANGELOG.md,
the notebooks, the docstrings and the doctor's catalogue. The site is left in `.site/`.
"""

import argparse
import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import seq2seq
from seq2seq.__main__ import VERBS
from seq2seq.diagnosis.catalogue import CATALOGUE
from seq2seq.diagnosis.explain import EXPLANATIONS

ROOT = Path(__file__).resolve().parent.parent
SITE = ROOT / ".site"
MARK = "made by tests/docs.py"  # stands in a file of each site, so that no other folder is replaced
MARK_FILE = "made-by.txt"
PICTURE = ".github/page.png"  # of the service's page, in the READMEs; `python -m tests.picture` takes it
DOCUMENTS = {
    "index.md": "README.md",
    "zh-cn.md": "README.zh-CN.md",
    "contributing.md": "CONTRIBUTING.md",
    "changelog.md": "CHANGELOG.md",
}


def pages(root: Path = ROOT) -> Iterator[tuple[str, str]]:
    """Yields the name and the Markdown text of each page that is made from text."""
    for page, document in DOCUMENTS.items():
        text = with_links((root / document).read_text(encoding="utf-8"))
        yield page, text.replace(f"({PICTURE})", f"({Path(PICTURE).name})")  # dot folders are no part of a site
    yield "api.md", api_page()
    yield "doctor/index.md", doctor_index()
    for code in CATALOGUE:
        yield f"doctor/{code}.md", doctor_page(code)


def with_links(text: str) -> str:
    """Changes links to files of the repository into links to their pages; other files become plain code."""
    known = {document: page for page, document in DOCUMENTS.items()}

    def changed(match: re.Match[str]) -> str:
        words, target = match[1], match[2]
        path, _, place = target.partition("#")
        if path in known:
            return f"[{words}]({known[path]}{'#' + place if place else ''})"
        if path.startswith("notebooks/") and path.endswith(".ipynb"):
            return f"[{words}]({path.removesuffix('.ipynb')}.md)"
        if re.match(r"https?://|#", target):
            return match[0]
        return words if words.startswith("`") else f"`{words}`"

    return re.sub(r"(?<!!)\[([^\]]+)\]\(([^)\s]+)\)", changed, text)


def api_page() -> str:
    """Returns the reference of the public names, which mkdocstrings fills in from the docstrings."""
    homes = {name: getattr(seq2seq, name).__module__ for name in seq2seq.__all__ if name != "__version__"}
    parts = [f"## `seq2seq.{name}`\n\n::: {home}.{name}\n" for name, home in sorted(homes.items())]
    verbs = "\n".join(f"| `seq2seq {verb}` | {text} |" for verb, text in VERBS.items())
    head = "# Reference\n\n`seq2seq VERB --help` lists the options of a command.\n\n| command | effect |\n|---|---|"
    return f"{head}\n{verbs}\n\n" + "\n".join(parts)


def doctor_index() -> str:
    """Returns the list of the doctor's codes."""
    rows = "\n".join(f"| [{code}]({code}.md) | {entry.title} | {entry.effect} |" for code, entry in CATALOGUE.items())
    return f"# The doctor's codes\n\n| code | finding | effect |\n|---|---|---|\n{rows}\n"


def doctor_page(code: str) -> str:
    """Returns the page of a code: what a search engine should find for its symptoms."""
    entry, more = CATALOGUE[code], EXPLANATIONS[code]
    parts = [f"# {code}: {entry.title}", f"**Effect:** {entry.effect}.", more.text.replace("\n", " ")]
    for title, text in (("Wrong", more.wrong), ("Right", more.right), ("Fix", entry.fix)):
        parts.append(f"## {title}\n\n```python\n{text}\n```")
    parts.append(f"`python -m seq2seq.doctor PATH` looks for it; `--explain {code}` prints this page.")
    return "\n\n".join(parts) + "\n"


def add_notebooks(folder: Path) -> list[str]:
    """Writes a page for each notebook, with its pictures; returns their names without ending."""
    import nbformat
    from nbconvert import MarkdownExporter

    names = []
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        text, resources = MarkdownExporter().from_notebook_node(nbformat.read(path, as_version=4))
        (folder / f"{path.stem}.md").write_text(text, encoding="utf-8")
        for name, content in resources["outputs"].items():
            target = folder / name.replace("output", path.stem)
            target.write_bytes(content)
            page = folder / f"{path.stem}.md"
            page.write_text(page.read_text(encoding="utf-8").replace(name, target.name), encoding="utf-8")
        names.append(path.stem)
    return names


def settings(sources: Path, site: Path, notebooks: list[str]) -> dict[str, Any]:
    """Returns what mkdocs is told: the theme without fonts or scripts from elsewhere, and the order of pages."""
    codes = [{code: f"doctor/{code}.md"} for code in CATALOGUE]
    handler = {
        "options": {"show_source": False, "show_root_heading": False, "inherited_members": True},
        "paths": [str(ROOT)],
    }
    return {
        "site_name": "seq2seq",
        "docs_dir": str(sources),
        "site_dir": str(site),
        "use_directory_urls": False,
        "strict": True,
        "theme": {"name": "material", "font": False, "features": ["navigation.indexes"]},
        "plugins": ["search", {"mkdocstrings": {"handlers": {"python": handler}}}],
        "validation": {"links": {"anchors": "warn"}},
        "nav": [
            {"Start": "index.md"},
            {"中文": "zh-cn.md"},
            {"Notebooks": [{name: f"notebooks/{name}.md"} for name in notebooks]},
            {"Reference": "api.md"},
            {"Doctor": ["doctor/index.md", *codes]},
            {"Contributing": "contributing.md"},
            {"Changes": "changelog.md"},
        ],
    }


def build(site: Path = SITE) -> None:
    """Builds the site into a folder that is absent, or that this program wrote.

    Raises:
        SystemExit: the folder holds something else.

    """
    from markdown.extensions.toc import slugify_unicode
    from mkdocs.commands.build import build as build_site
    from mkdocs.config import load_config

    if site.exists() and not (site / MARK_FILE).is_file():
        raise SystemExit(f"{site}: was not written by this program; move it away, or give another --site")
    with tempfile.TemporaryDirectory() as made:
        sources = Path(made) / "pages"
        for name, text in pages():
            path = sources / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        shutil.copy(ROOT / PICTURE, sources)
        (sources / "notebooks").mkdir()
        notebooks = add_notebooks(sources / "notebooks")
        (sources / MARK_FILE).write_text(MARK + "\n", encoding="utf-8")
        built = Path(made) / "site"
        configuration = Path(made) / "mkdocs.yml"
        configuration.write_text(json.dumps(settings(sources, built, notebooks)), encoding="utf-8")  # JSON is YAML too
        # anchors keep Chinese characters, as on GitHub; the function that does it cannot stand in the file
        extensions = ["tables", "fenced_code", {"toc": {"slugify": slugify_unicode}}]
        build_site(load_config(str(configuration), markdown_extensions=extensions))
        if site.exists():
            shutil.rmtree(site)
        shutil.copytree(built, site)


def main() -> None:
    """Builds the site."""
    parser = argparse.ArgumentParser(prog="python -m tests.docs", description=__doc__.splitlines()[0])
    parser.add_argument("--site", type=Path, default=SITE, help="folder of the site (default: .site)")
    options = parser.parse_args()
    build(options.site)
    print(options.site / "index.html")


if __name__ == "__main__":
    main()
