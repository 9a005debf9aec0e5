"""A folder of each released version still gives the same text, and mutated folders fail in no way but one."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from seq2seq import verify
from seq2seq.training.assembly import assemble
from seq2seq.version import __version__
from tests.stored_models import EXPECTED, FOLDER, outputs_of

PHRASES = [f"{one} {other}\t{other} the {one}" for one in "abcdefgh" for other in "abcdefgh"]
SLICE = 500  # mutations of one process
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


@pytest.mark.campaign("mutations of model folders", count=20_000, sample=240)
def test_a_mutated_folder_decodes_as_before_or_is_refused_in_one_line(campaign, tmp_path, tiny_bundle):
    root, env = Path(__file__).resolve().parents[1], {**os.environ, "TMPDIR": str(tmp_path)}
    words = tiny_bundle("phrases", rows=PHRASES, data={"source_sep": " ", "target_sep": " "})
    members = [tiny_bundle(f"transducer-{seed}", seed=seed, architecture="transducer") for seed in (2, 3)]
    assemble(members, tmp_path / "transducers")
    for first in campaign.examples(SLICE):
        last = min(first + SLICE, campaign.count)
        command = [sys.executable, "-m", "tests.folder_mutations", "--seed", str(campaign.seed)]
        command += ["--first", str(first), "--count", str(last)]
        command += ["--models", str(words), str(tmp_path / "transducers")]
        found = subprocess.run(command, cwd=root, capture_output=True, text=True, env=env)
        kinds = dict(re.findall(r"^(recorded|recomputed) hashes: (.*)", found.stdout, re.MULTILINE))
        assert len(kinds) == 2, found.stdout + found.stderr
        for count, outcome in re.findall(r"(\d+) ([a-z ]+)", ", ".join(kinds.values())):
            campaign.found(outcome, int(count))
        wrong, memory = re.search(r"^(\d+) of \d+ are wrong; (\d+) MiB", found.stdout, re.MULTILINE).groups()
        campaign.measured(int(memory) << 20)
        assert (found.returncode, wrong) == (0, "0"), found.stdout + found.stderr
