import datetime
import re

import pytest

from seq2seq.errors import OptionError
from seq2seq.text.dates import FORMS, generate, ordinal, write
from seq2seq.text.splits import source_key

MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]


def read(text: str) -> datetime.date:
    """Reads a date in any of the forms."""
    text = text.lower()
    month = re.search("|".join(MONTHS), re.sub("[a-z]+day", "", text))
    if month:
        year, day = re.search(r"\b\d{4}\b", text)[0], re.search(r"\b(\d{1,2})(?:st|nd|rd|th)?\b", text)[1]
        return datetime.date(int(year), MONTHS.index(month[0]) + 1, int(day))
    if "." in text:
        day, number, year = text.split(".")
    elif "/" in text:
        year, number, day = text.split("/")
    else:
        year, number, day = text[:4], text[4:6], text[6:]
    return datetime.date(int(year), int(number), int(day))


def test_forms_of_one_day():
    day = datetime.date(2021, 3, 3)
    written = {write(day, form) for form in FORMS}
    assert {"3 March 2021", "Mar 3rd, 2021", "the 3rd of March 2021", "2021/03/03", "3.3.2021"} <= written
    assert "Wednesday, 3 March 2021" in written
    assert len(written) == len(FORMS)


def test_an_independent_reader_agrees_with_every_row():
    pairs = generate(3000, seed=2)
    assert [read(source).isoformat() for source, _ in pairs] == [target for _, target in pairs]


def test_weekdays_are_right():
    named = [
        pair for pair in generate(3000, seed=3) if re.search("day|mon,|tue|wed|thu|fri|sat|sun", pair.source, re.I)
    ]
    assert len(named) > 300
    for source, target in named:
        weekday = datetime.date.fromisoformat(target).strftime("%a").lower()
        assert source.lower().startswith(weekday)


def test_no_source_comes_twice_even_in_other_case():
    pairs = generate()
    assert len(pairs) == 8000
    assert len({source_key(source) for source, _ in pairs}) == 8000


def test_years_and_months_are_all_there():
    targets = [target for _, target in generate()]
    assert {target[5:7] for target in targets} == {f"{month:02}" for month in range(1, 13)}
    assert {target[:4] for target in targets} == {str(year) for year in range(1900, 2100)}


def test_the_seed_decides_the_rows():
    assert generate(50, seed=1) == generate(50, seed=1)
    assert generate(50, seed=1) != generate(50, seed=2)


def test_ordinals():
    numbers = (1, 2, 3, 4, 11, 12, 13, 21, 22, 23, 31)
    assert " ".join(map(ordinal, numbers)) == "1st 2nd 3rd 4th 11th 12th 13th 21st 22nd 23rd 31st"


@pytest.mark.parametrize("count", [0, 10**9])
def test_a_count_out_of_range_is_refused(count):
    with pytest.raises(OptionError, match=f"from 1 to 500000, got {count}"):
        generate(count)
