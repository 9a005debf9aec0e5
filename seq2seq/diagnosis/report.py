"""What an examination found: findings, worst first, what follows from another under it; as text and as JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from seq2seq.diagnosis.catalogue import CATALOGUE

BROKEN, HARMFUL, NOTE = "broken", "harmful", "note"
SEVERITIES = (BROKEN, HARMFUL, NOTE)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that is wrong."""

    code: str  # D01 to D16
    severity: str  # BROKEN, HARMFUL or NOTE
    title: str
    evidence: Mapping[str, Any]  # what was measured, by name; of JSON types
    effect: str  # what it does to training or decoding
    fix: str  # one or two lines of code
    because_of: str | None = None  # the code of the finding that this one follows from


@dataclass(frozen=True)
class NotExamined:
    """Something that a check could not look at."""

    what: str  # with what to pass


@dataclass(frozen=True)
class Settled:
    """A model has shown what arrays alone only suggest, so earlier findings of this code do not count."""

    code: str


@dataclass(frozen=True)
class Examined:
    """How many rows a check looked at."""

    what: str  # what was done with them
    rows: int


Result = Finding | NotExamined | Settled | Examined  # what checks return


@dataclass(frozen=True, kw_only=True)
class Report:
    """All that an examination says."""

    findings: Sequence[Finding]  # worst first; what follows from a finding stands right after it
    inferred: Sequence[str] = ()  # what nobody said and was concluded
    not_examined: Sequence[str] = ()  # what could not be looked at, and what to pass
    examined: Mapping[str, int] = field(default_factory=dict)  # rows looked at, by what was done with them

    @property
    def broken(self) -> bool:
        """Whether anything is broken."""
        return any(finding.severity == BROKEN for finding in self.findings)

    @property
    def codes(self) -> list[str]:
        """The codes, worst first, each once."""
        return list(dict.fromkeys(finding.code for finding in self.findings))

    def to_json(self) -> dict[str, Any]:
        """Gives the report in JSON types."""
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
                    "mend": finding.fix,  # what other programs read before "fix" was there
                    "because_of": finding.because_of,
                }
                for finding in self.findings
            ],
            "inferred": list(self.inferred),
            "not_examined": list(self.not_examined),
            "examined": dict(self.examined),
        }

    def __str__(self) -> str:
        lines: list[str] = []
        for finding in self.findings:
            lines += [*describe(finding), ""]
        if not self.findings:
            lines += ["Nothing wrong was found.", ""]
        for heading, items in (("Inferred", self.inferred), ("Not examined", self.not_examined)):
            if items:
                lines += [f"{heading}:", *(f"  - {item}" for item in items), ""]
        if self.examined:
            lines += ["Rows examined: " + ", ".join(f"{count} ({what})" for what, count in self.examined.items()), ""]
        counts = [sum(finding.severity == severity for finding in self.findings) for severity in SEVERITIES]
        lines.append(", ".join(f"{count} {severity}" for count, severity in zip(counts, SEVERITIES, strict=True)))
        return "\n".join(lines)


def describe(finding: Finding) -> list[str]:
    """Writes one finding; what follows from another is indented."""
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
    """Writes a figure for a reader."""
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
    """Makes a finding; what is not given is the catalogue's."""
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
    """Turns NumPy's numbers and containers into JSON's; floats are rounded to four digits."""
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
