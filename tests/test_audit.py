"""The audit says what it found, and never takes silence for safety."""

import json
import subprocess

import pytest

from tests import audit

SKIPPED = {"name": "numpy", "skip_reason": "Dependency not found on PyPI and could not be audited: numpy (2.0)"}
SOUND = {"name": "keras", "version": "3.12.0", "vulns": []}
BROKEN = {"name": "h5py", "version": "1.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["1.1", "2.0"]}]}
UNFIXED = {"name": "zip", "version": "3", "vulns": [{"id": "GHSA-2", "fix_versions": []}]}


@pytest.mark.parametrize(
    ("packages", "code", "lines"),
    [
        ([SOUND], 0, ["audit: 1 packages audited, 0 known vulnerabilities"]),
        ([SOUND, SKIPPED], 0, ["audit: 1 packages audited, 0 known vulnerabilities; not audited: numpy"]),
        (
            [SOUND, BROKEN, UNFIXED],
            1,
            [
                "h5py 1.0: PYSEC-1, fixed in 1.1, 2.0",
                "zip 3: GHSA-2, fixed in no version yet",
                "audit: 3 packages audited, 2 known vulnerabilities",
            ],
        ),
        (
            [SKIPPED],
            2,
            [
                "audit: error: none of 1 packages was audited: Dependency not found on PyPI and could not be audited: "
                "numpy (2.0); try again where pypi.org answers"
            ],
        ),
        (
            [],
            2,
            ["audit: error: none of 0 packages was audited: no package is installed; try again where pypi.org answers"],
        ),
    ],
)
def test_a_report_becomes_an_exit_code_and_lines(packages, code, lines):
    assert audit.read_report(json.dumps({"dependencies": packages, "fixes": []}), "") == (code, lines)


def test_without_the_service_the_last_line_of_the_traceback_is_the_reason():
    assert audit.read_report("", "Traceback ...\nConnectionError: no route to host\n") == (
        2,
        ["audit: error: no package was audited: ConnectionError: no route to host"],
    )
    assert audit.read_report("", "")[1] == ["audit: error: no package was audited: pip-audit wrote no report"]


@pytest.mark.parametrize(
    ("report", "options", "code"),
    [
        ("", [], 2),
        ("", ["--if-reachable"], 0),
        (json.dumps({"dependencies": [BROKEN]}), ["--if-reachable"], 1),
        (json.dumps({"dependencies": [SOUND]}), [], 0),
    ],
)
def test_a_build_may_pass_without_the_service_but_not_with_a_vulnerability(report, options, code, monkeypatch, capsys):
    asked = []

    def run(command, **_):
        asked.append(command)
        return subprocess.CompletedProcess(command, 0, report, "no route to host")

    monkeypatch.setattr(subprocess, "run", run)
    assert audit.main(options) == code
    (command,) = asked
    assert command[1:3] == ["-m", "pip_audit"]
    captured = capsys.readouterr()
    assert (captured.out if report == json.dumps({"dependencies": [SOUND]}) else captured.err).startswith(
        ("audit: ", "h5py ")
    )
