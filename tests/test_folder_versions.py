"""A folder of each released version still gives the same text, and mutated folders fail in no way but one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from seq2seq import verify
from seq2seq.version import __version__
from tests.stored_models import EXPECTED, FOLDER, outputs_of

MUTATIONS = 400  # `make torture` makes 20 000
VERSIONS = sorted(path.name for path in FOLDER.iterdir())


def test_this_version_has_stored_folders():
    assert __version__ in VERSIONS


@pytest.mark.parametrize("version", VERSIONS)
def test_the_folders_of_a_version_give_the_same_text(version, capsys):
    expected = json.loads((FOLDER / version / EXPECTED).read_text(encoding="utf-8"))
    assert sorted(expected) == sorted(path.name for path in (FOLDER / version).iterdir() if path.is_dir())
    for name, outputs in expected.items():
        assert outputs_of(FOLDER / version / name) == outputs
        assert verify.main(["--model", str(FOLDER / version / name)]) == 0, capsys.readouterr().out


def test_a_mutated_folder_decodes_as_before_or_is_refused_in_one_line(tmp_path):
    command = [sys.executable, "-m", "tests.folder_mutations", "--count", str(MUTATIONS)]
    root, env = Path(__file__).resolve().parents[1], {**os.environ, "TMPDIR": str(tmp_path)}
    found = subprocess.run(command, cwd=root, capture_output=True, text=True, env=env)
    assert found.returncode == 0, found.stdout + found.stderr
    assert found.stdout.count("hashes: ") == 2 and f"0 of {MUTATIONS} are wrong" in found.stdout
