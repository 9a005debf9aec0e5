"""Long runs of one process: memory stays flat, files do not accumulate, and no line depends on the lines around it."""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from campaigns import memory_of

import seq2seq
from seq2seq import train
from seq2seq.training import fit, run_folder

MOST_GROWTH = 16 << 20  # bytes
WARM = 10_000  # lines, after which all that is filled once is filled
COMPARED = 300  # lines that are decoded once more, alone
OPTIONS = ["--max-length", "20"]
ROOT = Path(__file__).resolve().parents[1]
CORPORA = [ROOT.parent / "shared" / "corpora" / "fra-eng.tsv", ROOT / "data" / "fra-eng" / "fra-eng.tsv"]
pytestmark = pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="memory is read from Linux's /proc")


@pytest.fixture(scope="module")
def corpus():
    """The rows of the English-French file, or of the smaller one that is part of the repository."""
    path = next(path for path in CORPORA if path.is_file())
    return path.read_text(encoding="utf-8").splitlines()


def line_of(corpus, seed, number):
    """Returns a line of the input: one to three sources."""
    draws = random.Random(f"{seed}/{number}")
    return " ".join(draws.choice(corpus).split("\t")[0] for _ in range(draws.randint(1, 3)))


@pytest.mark.campaign("lines decoded by one process", count=1_000_000, sample=14_000)
def test_decoding_many_lines_takes_no_more_memory_and_gives_what_each_line_alone_gives(
    campaign, corpus, tiny_bundle, tmp_path
):
    folder, output = tiny_bundle(rows=corpus[:200]), tmp_path / "out.txt"
    command = [sys.executable, "-m", "seq2seq", "decode", "--model", str(folder), *OPTIONS]
    step = max(1, campaign.count // 100)
    with output.open("wb") as out, subprocess.Popen(command, stdin=subprocess.PIPE, stdout=out) as process:
        before = None
        for first in campaign.examples(step):
            lines = [
                line_of(corpus, campaign.seed, number) for number in range(first, min(first + step, campaign.count))
            ]
            process.stdin.write("".join(f"{line}\n" for line in lines).encode())
            if before is None and first - campaign.first >= max(WARM, campaign.count // 4):
                before = memory_of(process.pid, "VmRSS")
            assert before is None or memory_of(process.pid, "VmRSS") - before < MOST_GROWTH, f"after {first} lines"
        campaign.measured(memory_of(process.pid))
        process.stdin.close()
    assert process.returncode == 0
    found = output.read_text(encoding="utf-8").split("\n")[:-1]
    assert len(found) == campaign.count - campaign.first
    model, draws = seq2seq.load(folder), random.Random(campaign.seed)
    for place in draws.sample(range(len(found)), min(COMPARED, len(found))):
        line = line_of(corpus, campaign.seed, campaign.first + place)
        assert model.translate([line], max_length=20) == [found[place]], line
        campaign.found("compared")


@pytest.mark.campaign("checkpoints of one training", count=2_000, sample=24)
def test_training_with_many_checkpoints_takes_no_more_memory_and_leaves_no_files(campaign, tmp_path, monkeypatch):
    data, folder = tmp_path / "pairs.tsv", tmp_path / "model"
    data.write_text("".join(f"{one}{other}\t{other}{one}\n" for one in "abcdefgh" for other in "abcdefgh"))
    monkeypatch.setattr(fit, "SAVE_SECONDS", 0.0)
    monkeypatch.setattr(fit, "CHECK_EVERY", 1)
    save, seen, before = run_folder.Saver.save, [], []

    def watched(self, *arguments, **options):
        save(self, *arguments, **options)
        names = sorted(path.name for path in folder.iterdir())
        seen.append([name for name in names if not name.startswith("checkpoint-")])
        assert len(names) - len(seen[-1]) <= 2, names
        campaign.did()
        campaign.measured(memory_of("self", "VmRSS"))
        if campaign.row["done"] >= campaign.count // 4:
            before.append((memory_of("self", "VmRSS"), len(os.listdir("/proc/self/fd"))))
            assert before[-1][0] - before[0][0] < MOST_GROWTH, f"after {campaign.row['done']} checkpoints"
            assert before[-1][1] == before[0][1]

    monkeypatch.setattr(run_folder.Saver, "save", watched)
    options = "--hidden-size 4 --embedding-size 3 --batch-size 16 --warmup-steps 2 --architecture attention --seed"
    words = [*options.split(), str(campaign.seed), "--epochs", str(campaign.count), "--patience", str(campaign.count)]
    words += ["--max-steps", str(campaign.count)]
    assert train.main(["--data", str(data), "--model", str(folder), *words]) == 0
    assert campaign.row["done"] >= campaign.count
    assert seen[-1] == seen[campaign.count // 4]
    assert len([path for path in folder.iterdir() if path.name.startswith("checkpoint-")]) == 1
