"""How a line's ids become the row that an encoder reads: ours end in END, other people's may be filled up or turned."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from seq2seq.special import END, UNK


@dataclass(frozen=True, kw_only=True)
class SourceForm:
    """The form of an encoder's rows, kept in the model folder of an adopted model; the defaults are our own form.

    Args:
        before: ids put before the line's.
        after: ids put after them.
        length: symbols that a row is filled up to; 0: none. A longer line is read as it is.
        fill: the id that fills; the encoder reads it like any other.
        left: whether the filling comes first.
        reversed: whether the line is read backwards.
        clean: whether text is brought to plain spaces and straight apostrophes; False: only line ends go.

    """

    before: tuple[int, ...] = ()
    after: tuple[int, ...] = (END,)
    length: int = 0
    fill: int = UNK
    left: bool = False
    reversed: bool = False
    clean: bool = True

    def row(self, ids: Sequence[int]) -> list[int]:
        """Writes one row; never empty, since an encoder must read something."""
        row = [*self.before, *(ids[::-1] if self.reversed else ids), *self.after]
        filling = [self.fill] * (self.length - len(row))
        return ([*filling, *row] if self.left else [*row, *filling]) or [self.fill]

    def to_dict(self) -> dict[str, Any]:
        """Gives what `from_record` reads."""
        return {**asdict(self), "before": list(self.before), "after": list(self.after)}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """Reads the form from a model folder's record; without one it is ours."""
        values = dict(record.get("source_form", {}))
        for name in ("before", "after"):
            if name in values:
                values[name] = tuple(values[name])
        return cls(**values)
