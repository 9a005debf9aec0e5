"""How a line's ids become the row that an encoder reads; adopted models may pad rows or reverse the line."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from seq2seq.fields import option
from seq2seq.special import END, UNK
from seq2seq.typed_json import from_json


@dataclass(frozen=True, kw_only=True)
class SourceForm:
    """The form of an encoder's rows, stored with an adopted model; the defaults are the form of this package.

    Args:
        before: ids before those of the line.
        after: ids after those of the line.
        length: symbols to which a shorter row is padded; 0: no padding.
        fill: the id of the padding, which the encoder reads like any other id.
        left: whether the padding is on the left.
        reversed: whether the encoder reads the line backwards.
        clean: whether text gets plain spaces and straight apostrophes; False: only line ends are removed.

    """

    before: tuple[int, ...] = ()
    after: tuple[int, ...] = (END,)
    length: int = option(0, "symbols of a padded row", at_least=0, at_most=10_000)
    fill: int = UNK
    left: bool = False
    reversed: bool = False
    clean: bool = True

    def row(self, ids: Sequence[int]) -> list[int]:
        """Returns the row for a line; it is never empty, since an encoder must read something."""
        row = [*self.before, *(ids[::-1] if self.reversed else ids), *self.after]
        padding = [self.fill] * (self.length - len(row))
        return ([*padding, *row] if self.left else [*row, *padding]) or [self.fill]

    def to_dict(self) -> dict[str, Any]:
        """Returns the form as JSON has it, for `from_record`."""
        return {**asdict(self), "before": list(self.before), "after": list(self.after)}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """Reads the form from a model folder's record, which has none for a model that this package trained."""
        return from_json(cls, record.get("source_form", {}), where="source_form", optional=True)
