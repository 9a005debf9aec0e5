"""Sorts findings: worst first, each followed by its consequences."""

from collections.abc import Container, Sequence
from dataclasses import replace

from seq2seq.diagnosis.report import BROKEN, SEVERITIES, Finding

# codes and their possible consequences; the first code that was found is the cause
BRINGS = {
    "D11": ("D03", "D05", "D06", "D14"),
    "D01": ("D02", "D03", "D05", "D06", "D08", "D14"),
    "D02": ("D03", "D05", "D06", "D14"),
    "D13": ("D05", "D06", "D09", "D14"),
    "D16": ("D14",),
    "D05": ("D06", "D07", "D14"),
    "D07": ("D06", "D14"),
    "D10": ("D05", "D06", "D14"),
    "D03": ("D14",),
    "D04": ("D09",),
    "D09": (),
    "D08": ("D06", "D14"),
    "D06": ("D14",),
}
BINARY = "binary cross-entropy of the outputs"  # evidence of D09 in a loss that is not the cross-entropy
LOOKS_AHEAD = "change of a probability when only later decoder inputs change"  # D06 in a model's structure


def ordered(findings: Sequence[Finding]) -> list[Finding]:
    """Drops repeated findings, names causes, and sorts."""
    unique: dict[tuple[str, str], Finding] = {}
    for finding in findings:
        unique.setdefault((finding.code, finding.title), finding)
    linked = [with_cause(finding, list(unique.values())) for finding in unique.values()]
    roots = sorted((finding for finding in linked if finding.because_of is None), key=rank)
    linked = handed_on(linked, {root.code for root in roots})
    placed: list[Finding] = []
    for root in roots:
        placed.append(root)
        if root.code not in {finding.code for finding in placed[:-1]}:
            placed += sorted((finding for finding in linked if finding.because_of == root.code), key=rank)
    return placed


def handed_on(findings: Sequence[Finding], roots: Container[str]) -> list[Finding]:
    """Replaces a cause that follows from another by that one, so that each finding names a root."""
    causes = {finding.code: finding.because_of for finding in findings}
    found = []
    for finding in findings:
        cause = finding.because_of
        while cause is not None and cause not in roots:
            cause = causes[cause]
        found.append(replace(finding, because_of=cause))
    return found


def rank(finding: Finding) -> tuple[int, int]:
    """The sort key of a finding: its severity, then the place of its code among the causes."""
    order = list(BRINGS)
    place = order.index(finding.code) if finding.code in order else len(order)
    if LOOKS_AHEAD in finding.evidence:
        place = order.index("D07")
    if BINARY in finding.evidence:
        place = order.index("D13")
    return SEVERITIES.index(finding.severity), place


def with_cause(finding: Finding, findings: Sequence[Finding]) -> Finding:
    """Adds the code of the finding's cause, if there is one."""
    if BINARY in finding.evidence:
        return finding  # no padding makes the loss another function
    for cause in BRINGS:
        if (
            cause == "D05"
            and finding.code in ("D05", "D14")
            and finding.severity != BROKEN
            and any(LOOKS_AHEAD in other.evidence for other in findings)
        ):
            return replace(finding, because_of="D06")  # a decoder that reads the answer needs no source
        if finding.code not in BRINGS[cause] or (LOOKS_AHEAD in finding.evidence and cause != "D01"):
            continue
        if finding.code == "D07" and not any(other.code == "D05" and other.severity == BROKEN for other in findings):
            continue  # a source with little effect does not change what inference computes
        if any(other.code == cause and is_worse(other, finding) for other in findings if other is not finding):
            return replace(finding, because_of=cause)
    return finding


def is_worse(cause: Finding, finding: Finding) -> bool:
    """Returns whether one finding can cause another: it is broken, or at least as severe."""
    return cause.severity == BROKEN or SEVERITIES.index(cause.severity) <= SEVERITIES.index(finding.severity)
