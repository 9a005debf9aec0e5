"""Generates the task `dates`: free-form English dates in, ISO 8601 out, without ambiguity.

The punctuation of a numeric date shows its order: slashes mean year, month, day; dots mean day, month, year. Years have
four digits, 1900 to 2099. A weekday always fits its date.
"""

import datetime
import random

from seq2seq.errors import OptionError
from seq2seq.text.pairs import Pair

DEFAULT_COUNT = 8000
DEFAULT_SEED = 1
LARGEST_COUNT = 500_000
FIRST_DAY = datetime.date(1900, 1, 1)
LAST_DAY = datetime.date(2099, 12, 31)

# strftime would use the user's locale
_MONTHS = [
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
]
_WEEKDAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]

FORMS = (
    "{d} {month} {y}",
    "{d} {month}, {y}",
    "{d} {mon} {y}",
    "{d}-{mon}-{y}",
    "{nth} {month} {y}",
    "{nth} of {month} {y}",
    "the {nth} of {month} {y}",
    "the {nth} of {month}, {y}",
    "{month} {d}, {y}",
    "{month} {d} {y}",
    "{month} {nth}, {y}",
    "{month} the {nth}, {y}",
    "{mon} {d}, {y}",
    "{mon} {nth}, {y}",
    "{mon}. {d}, {y}",
    "{weekday}, {d} {month} {y}",
    "{weekday} {month} {d}, {y}",
    "{weekday} the {nth} of {month} {y}",
    "{day}, {mon} {d}, {y}",
    "{day} {d} {mon} {y}",
    "{y} {month} {d}",
    "{y}, {month} {nth}",
    "{y}/{m:02}/{d:02}",
    "{y}/{m}/{d}",
    "{d}.{m}.{y}",
    "{d:02}.{m:02}.{y}",
    "{y}{m:02}{d:02}",
)


def generate(count: int = DEFAULT_COUNT, seed: int = DEFAULT_SEED) -> list[Pair]:
    """Draws random dates and forms; no two sources are equal when case is ignored.

    Args:
        count: number of rows, at most LARGEST_COUNT.
        seed: the same count and seed give the same rows.

    Raises:
        OptionError: the count is out of range.

    """
    if not 1 <= count <= LARGEST_COUNT:
        raise OptionError(f"expected a number of dates from 1 to {LARGEST_COUNT}, got {count!r}")
    draw = random.Random(seed)
    pairs: list[Pair] = []
    seen: set[str] = set()
    while len(pairs) < count:
        day = datetime.date.fromordinal(draw.randint(FIRST_DAY.toordinal(), LAST_DAY.toordinal()))
        text = write(day, draw.choice(FORMS))
        case = draw.choice((str, str, str.lower, str.upper))
        if text.casefold() not in seen:
            seen.add(text.casefold())
            pairs.append(Pair(case(text), day.isoformat()))
    return pairs


def write(day: datetime.date, form: str) -> str:
    """Writes a date in one of the FORMS."""
    month, weekday = _MONTHS[day.month - 1], _WEEKDAYS[day.weekday()]
    names = {"month": month, "mon": month[:3], "weekday": weekday, "day": weekday[:3]}
    return form.format(y=day.year, m=day.month, d=day.day, nth=ordinal(day.day), **names)


def ordinal(number: int) -> str:
    """Writes 1st, 2nd, 3rd, 4th, 11th, 21st and so on."""
    teens = number % 100 in (11, 12, 13)
    return f"{number}{'th' if teens else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"
