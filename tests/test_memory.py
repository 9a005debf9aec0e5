"""What would need more memory than is free is refused before it is taken."""

import subprocess
import sys

import pytest

from seq2seq import memory
from seq2seq.errors import OptionError
from seq2seq.memory import check_memory, free_bytes, free_of_group


def test_what_fits_is_taken_and_what_does_not_is_refused_in_numbers(monkeypatch):
    monkeypatch.setattr(memory, "free_bytes", lambda: 2 * 10**9)
    check_memory(1.9e9, "--beam-size 7", "give less")
    with pytest.raises(OptionError) as error:
        check_memory(2.1e9, "--beam-size 7", "give less")
    assert str(error.value) == "--beam-size 7: needs about 2.1 GB of memory, and 2.0 GB are free; give less"
    with pytest.raises(OptionError, match=r"needs about 1e\+15 GB of memory"):
        check_memory(1e24, "--length", "give less")


def test_a_little_is_taken_without_a_look_at_what_is_free(monkeypatch):
    monkeypatch.setattr(memory, "free_bytes", lambda: pytest.fail("looked"))
    check_memory(memory.ALWAYS, "--beam-size 7", "give less")


def test_where_the_system_does_not_tell_nothing_is_refused(monkeypatch, tmp_path):
    for name in ("free_of_machine", "free_of_process"):
        monkeypatch.setattr(memory, name, lambda: None)
    monkeypatch.setattr(memory, "CONTROL_GROUP", tmp_path)
    assert free_bytes() is None
    check_memory(1e30, "--beam-size 7", "give less")


def test_the_limit_of_a_container_counts_and_what_files_occupy_does_not(tmp_path):
    assert free_of_group(tmp_path) is None
    (tmp_path / "memory.current").write_text("700\n")
    (tmp_path / "memory.stat").write_text("anon 500\ninactive_file 150\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert free_of_group(tmp_path) is None
    (tmp_path / "memory.max").write_text("1000\n")
    assert free_of_group(tmp_path) == 450


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not say what a process has taken")
def test_the_limit_of_a_process_counts():
    code = "import resource; resource.setrlimit(resource.RLIMIT_AS, (1 << 32, 1 << 32))\n"
    code += "from seq2seq.memory import free_bytes, free_of_process\n"
    code += "assert free_bytes() <= free_of_process() < 1 << 32"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
