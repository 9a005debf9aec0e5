"""The README in two languages: the same parts, commands, names, figures and links; and links that lead somewhere."""

import re
import tomllib
from collections import Counter
from typing import NamedTuple

import pytest

from tests.docs import DOCUMENTS, ROOT

ENGLISH, CHINESE = "README.md", "README.zh-CN.md"
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`([^`]+)`")
LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)\s]+)\)")
COMMENT = re.compile(r"(?:^|\s+)# .*$")
COMMAND = re.compile(r"(\$|make|python|seq2seq|pip|curl|echo|\.venv/)")


class Section(NamedTuple):
    """A heading and what stands under it: its blocks of code, and the rest without them."""

    level: int
    title: str
    blocks: list[str]
    prose: str


def sections(text):
    """The sections of a Markdown text, in order; a `#` in a block of code begins none."""
    fences = FENCE.findall(text)
    found = []
    for part in re.split(r"^(?=#+ )", FENCE.sub("\0", text), flags=re.MULTILINE)[1:]:
        heading, _, prose = part.partition("\n")
        marks, title = heading.split(" ", 1)
        found.append(Section(len(marks), title, [fences.pop(0) for _ in range(prose.count("\0"))], prose))
    assert not fences
    return found


def lines_of_code(block):
    """The lines of a block without their comments."""
    return [COMMENT.sub("", line) for line in block.splitlines()]


def code_spans(prose):
    return {" ".join(span.split()) for span in CODE.findall(prose)}


def figures(prose):
    """How often each number stands in a text: not in code or a link's target, 3 600 and 3600 being one number."""
    text = CODE.sub(" ", LINK.sub(r"\1", prose))
    return Counter(re.findall(r"[0-9]+(?:\.[0-9]+)?", re.sub(r"(?<=[0-9]) (?=[0-9]{3}(?![0-9]))", "", text)))


def shape(prose):
    """The kinds of the blocks of a text: `paragraph`, `code`, a list with its items, a table with its cells a row."""
    kinds = []
    for block in re.split(r"\n{2,}", prose.strip("\n")):
        lines = block.splitlines()
        if block == "\0":
            kinds.append("code")
        elif block.startswith("|"):
            kinds.append(("table", [line.count("|") - 1 for line in lines]))
        elif re.match(r"- |1\. ", block):
            kinds.append(("list", sum(1 for line in lines if re.match(r"- |[0-9]+\. ", line))))
        else:
            kinds.append("paragraph")
    return kinds


def pieces(section):
    """The title, the paragraphs, the lists and the rows of tables of a section."""
    return [section.title, *re.split(r"\n{2,}|\n(?=\|)", section.prose.strip("\n"))]


def slug(title):
    """The anchor that GitHub makes of a heading."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def anchors(text):
    return [slug(section.title) for section in sections(text)]


def links(prose, own):
    """The targets of a text's links, sorted; one to a heading of its own file as the number of that heading."""
    targets = [target for _, target in LINK.findall(prose)]
    return sorted(f"#{own.index(target[1:])}" if target.startswith("#") else target for target in targets)


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def pairs():
    """Each section of the English README with that of the Chinese one in its place."""
    return list(zip(sections(read(ENGLISH)), sections(read(CHINESE)), strict=True))


# The helpers


def test_a_text_is_cut_into_sections_and_what_is_compared_is_found():
    text = "# a\nOf 3 600, `x\ny 5`: 2.5, [b](#b--c).\n```\n# no heading\nmake x   # why\n```\n"
    text += "\n## B, & c\n- 1\n- 2\n\n|1|2|\n"
    first, second = sections(text)
    assert (first.level, first.title, second.level, second.title) == (1, "a", 2, "B, & c")
    assert [lines_of_code(block) for block in first.blocks] == [["```", "", "make x", "```"]]
    assert (code_spans(first.prose), figures(first.prose)) == ({"x y 5"}, Counter({"3600": 1, "2.5": 1}))
    assert shape(second.prose) == [("list", 2), ("table", [2])]
    assert pieces(Section(1, "a", [], "\nb\nc\n\n|1|\n|2|\n")) == ["a", "b\nc", "|1|", "|2|"]
    assert links(first.prose, anchors(text)) == ["#1"]


# Two languages


def test_each_readme_links_to_the_other_under_its_title():
    assert read(ENGLISH).startswith(f"# seq2seq\n\n[简体中文]({CHINESE})\n\n")
    assert read(CHINESE).startswith(f"# seq2seq\n\n[English]({ENGLISH})\n\n")


def test_the_headings_have_the_same_levels_in_the_same_order():
    assert [section.level for section in sections(read(ENGLISH))] == [
        section.level for section in sections(read(CHINESE))
    ]


def test_the_chinese_prose_is_chinese():
    for english, chinese in pairs():
        assert re.search("[一-鿿]", chinese.title) or english.level == 1, chinese.title
        for block in re.split(r"\n{2,}", chinese.prose.strip("\n"))[chinese.level == 1 :]:
            assert block == "\0" or re.search("[一-鿿]", block), block


def test_blocks_of_code_differ_in_their_comments_alone():
    commands = 0
    for english, chinese in pairs():
        assert [lines_of_code(block) for block in english.blocks] == [
            lines_of_code(block) for block in chinese.blocks
        ], english.title
        commands += sum(bool(COMMAND.match(line)) for block in english.blocks for line in block.splitlines())
        for theirs, ours in zip(english.blocks, chinese.blocks, strict=True):
            for line, translated in zip(theirs.splitlines(), ours.splitlines(), strict=True):
                assert bool(COMMENT.search(line)) == bool(COMMENT.search(translated)), line
    assert commands > 20


def test_sections_have_the_same_paragraphs_lists_and_tables():
    for english, chinese in pairs():
        assert shape(english.prose) == shape(chinese.prose), english.title


def test_sections_name_the_same_code():
    for english, chinese in pairs():
        assert code_spans(english.prose) == code_spans(chinese.prose), english.title


def test_paragraphs_lists_and_rows_of_tables_have_the_same_figures():
    for english, chinese in pairs():
        for theirs, ours in zip(pieces(english), pieces(chinese), strict=True):
            assert figures(theirs) == figures(ours), ours


def test_sections_have_the_same_links():
    other = {ENGLISH: CHINESE}
    ours, theirs = anchors(read(CHINESE)), anchors(read(ENGLISH))
    for english, chinese in pairs():
        expected = [other.get(target, target) for target in links(chinese.prose, ours)]
        assert links(english.prose, theirs) == sorted(expected), english.title


# All documents


@pytest.mark.parametrize("name", DOCUMENTS.values())
def test_the_links_of_a_document_lead_to_files_and_headings_that_exist(name):
    for _, target in LINK.findall(CODE.sub("", FENCE.sub("", read(name)))):
        if target.startswith(("http://", "https://")):
            continue
        path, _, place = target.partition("#")
        assert (ROOT / (path or name)).exists(), target
        assert not place or place in anchors(read(path or name)), target


def test_the_source_distribution_has_each_document():
    project = tomllib.loads(read("pyproject.toml"))
    assert set(DOCUMENTS.values()) <= set(project["tool"]["hatch"]["build"]["targets"]["sdist"]["include"])
