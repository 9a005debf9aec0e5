"""What can be asked for beside the scores: scores by length, confusions and calibration."""

from collections.abc import Collection
from typing import Any, NamedTuple, Self

from seq2seq.inference.translator import Translator
from seq2seq.scoring.by_length import LengthScores, length_table, scores_by_length
from seq2seq.scoring.calibration import Calibration, calibration_of, calibration_table
from seq2seq.scoring.confusions import Confusions, confusion_table, find_confusions
from seq2seq.scoring.edit_rate import segmented
from seq2seq.scoring.evaluation import Evaluation


class Details(NamedTuple):
    """What was asked for beside the scores of a model; None: not asked for."""

    by_length: list[LengthScores] | None = None
    confusions: Confusions | None = None
    calibration: Calibration | None = None

    def only(self, names: Collection[str]) -> Self:
        """Leaves out all but the named details."""
        return self._replace(**{name: None for name in self._fields if name not in names})

    def to_dict(self) -> dict[str, Any]:
        """Returns plain values, for JSON."""
        found: dict[str, Any] = {}
        if self.by_length is not None:
            found["by_length"] = [row._asdict() for row in self.by_length]
        if self.confusions is not None:
            found["confusions"] = self.confusions.to_dict()
        if self.calibration is not None:
            found["calibration"] = self.calibration.to_dict()
        return found

    def lines(self, title: str, rate: str) -> list[str]:
        """Formats the tables; `title` follows their names, and `rate` is the name of the edit rate."""
        lines = []
        if self.by_length is not None:
            lines += ["", f"by length of the source{title}", "", *length_table(self.by_length, rate)]
        if self.confusions is not None:
            lines += ["", f"confusions{title}", "", *confusion_table(self.confusions)]
        if self.calibration is not None:
            lines += ["", f"calibration{title}", "", *calibration_table(self.calibration)]
        return lines


def details_of(
    translator: Translator, result: Evaluation, names: Collection[str], *, ignore_case: bool = False
) -> Details:
    """Computes the details of a model's evaluation that `names` has, of the fields of Details."""
    items = result.references
    texts = result.outputs, [item.references for item in items], [item.source for item in items]
    separator, source_separator = translator.target_vocabulary.separator, translator.source_vocabulary.separator
    return Details(
        scores_by_length(*texts, separator=separator, source_separator=source_separator, ignore_case=ignore_case)
        if "by_length" in names
        else None,
        find_confusions(*texts, separator=separator, ignore_case=ignore_case) if "confusions" in names else None,
        calibration_of(result.log_probs, right_ones(result, separator=separator, ignore_case=ignore_case))
        if "calibration" in names
        else None,
    )


def right_ones(result: Evaluation, *, separator: str, ignore_case: bool) -> list[bool]:
    """Returns whether each output has the symbols of a reference, as exact match counts it."""

    def symbols(text: str) -> list[str]:
        return segmented(text.lower() if ignore_case else text, separator)

    pairs = zip(result.outputs, result.references, strict=True)
    return [symbols(output) in map(symbols, item.references) for output, item in pairs]
