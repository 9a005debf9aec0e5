"""The report of an examination, as text and as JSON: findings, worst first, each followed by its consequences."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from seq2seq.diagnosis.catalogue import CATALOGUE

BROKEN, HARMFUL, NOTE = "broken", "harmful", "note"
SEVERITIES = (BROKEN, HARMFUL, NOTE)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One defect."""

    code: str  # D01 to D16
    severity: str  # BROKEN, HARMFUL or NOTE
    title: str
    evidence: Mapping[str, Any]  # measurements by name, of JSON types
    effect: str  # on training or decoding
    fix: str  # one or two lines of code
    because_of: str | None = None  # the code of the finding that this one follows from


@dataclass(frozen=True)
class NotExamined:
    """Something that a check could not examine."""

    what: str  # with the reason, and the option that helps


@dataclass(frozen=True)
class Settled:
    """The model decides what arrays alone only suggest: earlier findings of this code are dropped."""

    code: str


@dataclass(frozen=True)
class Examined:
    """The number of rows that a check examined."""

    what: str  # how they were examined
    rows: int


Result = Finding | NotExamined | Settled | Examined  # the results of checks


@dataclass(frozen=True, kw_only=True)
class Report:
    """The results of an examination."""

    findings: Sequence[Finding]  # worst first; each followed by its consequences
    inferred: Sequence[str] = ()  # what the user did not say
    not_examined: Sequence[str] = ()  # with what to pass
    examined: Mapping[str, int] = field(default_factory=dict)  # rows by kind of examination
    failed: Sequence[str] = ()  # what the user gave and nothing of which could be examined

    @property
    def broken(self) -> bool:
        """Whether any finding is BROKEN."""
        return any(finding.severity == BROKEN for finding in self.findings)

    @property
    def codes(self) -> list[str]:
        """The codes, worst first, each once."""
        return list(dict.fromkeys(finding.code for finding in self.findings))

    def to_json(self) -> dict[str, Any]:
        """Returns the report in JSON types."""
        return {
            "broken": self.broken,
            "findings": [
                {
                    "code": finding.code,
                    "severity": finding.severity,
                    "title": finding.title,
                    "evidence": dict(finding.evidence),
                    "effect": finding.effect,
                    "fix": finding.fix,
                    "mend": finding.fix,  # the former name of "fix", for programs that read it
                    "because_of": finding.because_of,
                }
                for finding in self.findings
            ],
            "inferred": list(self.inferred),
            "not_examined": list(self.not_examined),
            "examined": dict(self.examined),
            "failed": list(self.failed),
        }

    def __str__(self) -> str:
        lines: list[str] = []
        for finding in self.findings:
            lines += [*describe(finding), ""]
        if not self.findings:
            lines += ["Nothing wrong was found" + (" in what could be examined." if self.failed else "."), ""]
        for heading, items in (("Inferred", self.inferred), ("Not examined", self.not_examined)):
            if items:
                lines += [f"{heading}:", *(f"  - {item}" for item in items), ""]
        counts = [sum(finding.severity == severity for finding in self.findings) for severity in SEVERITIES]
        summary = ", ".join(f"{count} {severity}" for count, severity in zip(counts, SEVERITIES, strict=True))
        rows = ", ".join(f"{count} rows ({what})" for what, count in self.examined.items())
        missing = ", ".join([*self.failed, *codes_in(self.not_examined)])
        return "\n".join([*lines, f"{summary}. Examined: {rows or 'no rows'}. Not examined: {missing or 'nothing'}."])


def codes_in(notes: Sequence[str]) -> list[str]:
    """The codes that notes name, ranges such as "D01 to D04" included; "other things" for a note without a code."""
    found: set[str] = set()
    for note in notes:
        ranges = re.findall(r"D(\d\d)(?: to D(\d\d))?", note)
        found |= {f"D{number:02}" for first, last in ranges for number in range(int(first), int(last or first) + 1)}
        found |= set() if ranges else {"other things"}
    return sorted(found)


def describe(finding: Finding) -> list[str]:
    """Returns the lines of one finding; a consequence is indented."""
    indent = "    " if finding.because_of else ""
    follows = f" (follows from {finding.because_of})" if finding.because_of else ""
    lines = [f"{finding.code} {finding.severity}: {finding.title}{follows}"]
    lines += [f"  {name}: {show(value)}" for name, value in finding.evidence.items()]
    lines.append(f"  effect: {finding.effect}")
    lines += [f"  fix: {finding.fix}"] if "\n" not in finding.fix else ["  fix:"]
    if "\n" in finding.fix:
        lines += [f"    {line}" for line in finding.fix.splitlines()]
    return [indent + line for line in lines]


def show(value: Any) -> str:
    """Formats a value for a reader."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {show(inner)}" for name, inner in value.items())
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(show, value))
    return value if isinstance(value, str) else json.dumps(value)


def finding(
    code: str,
    severity: str,
    evidence: Mapping[str, Any],
    *,
    title: str = "",
    effect: str = "",
    fix: str = "",
    because_of: str | None = None,
) -> Finding:
    """Makes a finding; title, effect and fix default to those of the catalogue."""
    entry = CATALOGUE[code]
    return Finding(
        code=code,
        severity=severity,
        title=title or entry.title,
        evidence={name: plain(value) for name, value in evidence.items()},
        effect=effect or entry.effect,
        fix=fix or entry.fix,
        because_of=because_of,
    )


def plain(value: Any) -> Any:
    """Converts NumPy's numbers and containers to JSON types; floats are rounded to four digits."""
    if isinstance(value, Mapping):
        return {str(name): plain(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    if hasattr(value, "tolist"):
        value = value.tolist()
        return plain(value) if isinstance(value, list) else plain_number(value)
    return plain_number(value)


def plain_number(value: Any) -> Any:
    """Rounds a float to four significant digits; anything else stays."""
    return float(f"{value:.4g}") if isinstance(value, float) else value
