"""Collects the results of checks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from seq2seq.diagnosis.causes import ordered
from seq2seq.diagnosis.report import Examined, Finding, NotExamined, Report, Result


@dataclass
class Examination:
    """The results of the checks so far."""

    findings: list[Finding] = field(default_factory=list)
    inferred: list[str] = field(default_factory=list)  # what the user did not say
    not_examined: list[str] = field(default_factory=list)
    examined: dict[str, int] = field(default_factory=dict)  # rows by kind of examination
    failed: list[str] = field(default_factory=list)  # what the user gave and nothing of which could be examined
    incomplete: list[Any] = field(default_factory=list)  # models of whose compile settings a note was made

    def add(self, *results: Result) -> None:
        """Adds the results of a check."""
        for result in results:
            if isinstance(result, Finding):
                self.findings.append(result)
            elif isinstance(result, NotExamined):
                self.not_examined.append(result.what)
            elif isinstance(result, Examined):
                self.examined[result.what] = result.rows
            else:
                self.findings = [finding for finding in self.findings if finding.code != result.code]

    def attempt(self, what: str, check: Callable[[], Sequence[Result]]) -> None:
        """Runs a check; if it raises, that is noted and the examination continues."""
        try:
            self.add(*check())
        except Exception as error:
            lines = str(error).strip().splitlines()
            self.add(NotExamined(f"{what}: it failed with {type(error).__name__}: {lines[0][:200] if lines else ''}"))

    def report(self) -> Report:
        """Makes the report."""
        return Report(
            findings=ordered(self.findings),
            inferred=self.inferred,
            not_examined=self.not_examined,
            examined=self.examined,
            failed=self.failed,
        )
