"""The campaigns of `make torture`: which examples run, and the table of what came of them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from campaigns import memory_of

EXAMPLES = """
import pytest

@pytest.mark.campaign("sums", count=10, sample=3)
@pytest.mark.parametrize("kind", ["even", "odd"])
def test_sums(campaign, kind):
    for number in campaign.examples():
        campaign.found("right")
    campaign.measured(5 << 20)

@pytest.mark.campaign("slices", count=10, sample=3)
def test_slices(campaign):
    assert [number for number in campaign.examples(4)] == [*range(campaign.first, campaign.count, 4)]

@pytest.mark.campaign("failing", count=10, sample=3)
def test_failing(campaign):
    for number in campaign.examples():
        assert number < 2

@pytest.mark.campaign("zinterrupted", count=10, sample=3)
def test_interrupted(campaign):
    for number in campaign.examples():
        if number == 1:
            raise KeyboardInterrupt
"""


def run(folder, *options, torture=True):
    """Runs the examples; returns the lines of the table, each as words, and all that was printed."""
    (folder / "test_examples.py").write_text(EXAMPLES)
    env = {name: value for name, value in os.environ.items() if name not in ("SEQ2SEQ_TORTURE", "PYTEST_ADDOPTS")}
    env |= {
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTHONPATH": str(Path(__file__).parent),
        **({"SEQ2SEQ_TORTURE": "1"} if torture else {}),
    }
    command = [sys.executable, "-m", "pytest", "-q", "-p", "campaigns", "-p", "no:cacheprovider", *options]
    found = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=env).stdout
    _, _, table = found.partition(" campaigns ===")
    return [line.split() for line in table.splitlines()[2:6]], found


def test_all_examples_run_and_the_table_says_what_came_of_them(tmp_path):
    (sums, slices, failing, interrupted), _ = run(tmp_path)
    assert (sums[:4], sums[-3:]) == (["sums", "20", "20", "right"], ["5", "MiB", "1"])
    assert (slices[:5], slices[-2:]) == (["slices", "10", "all", "as", "expected"], ["-", "1"])
    assert failing[:5] == ["failing", "2", "TESTS:", "1", "failed"]
    assert interrupted[:5] == ["zinterrupted", "1", "TESTS:", "1", "interrupted"]


def test_a_campaign_continues_at_an_example_with_a_seed(tmp_path):
    (sums, slices, *_), _ = run(tmp_path, "--first", "4", "--count", "7", "--seed", "5", "-k", "not failing")
    assert (sums[:4], sums[-1]) == (["sums", "6", "6", "right"], "5")
    assert (slices[:2], slices[-1]) == (["slices", "3"], "5")


def test_with_several_processes_the_table_is_the_same(tmp_path):
    (sums, *_), _ = run(tmp_path, "-p", "xdist", "-n", "2", "-k", "sums")
    assert (sums[:4], sums[-3:]) == (["sums", "20", "20", "right"], ["5", "MiB", "1"])


def test_the_suite_runs_a_sample_without_a_table(tmp_path):
    lines, found = run(tmp_path, "-k", "sums or slices", torture=False)
    assert lines == [] and "3 passed" in found


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="memory is read from Linux's /proc")
def test_the_memory_of_a_process_is_told_in_bytes():
    assert 10 << 20 < memory_of("self", "VmRSS") <= memory_of("self") < 1 << 36
