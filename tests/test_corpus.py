"""A corpus of parts becomes parts of the same names, whose bytes are those of one process, whatever happens."""

import gzip
import io
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from concurrent.futures import Future

import pytest
from conftest import bundle_maker

from seq2seq import decode
from seq2seq.api import load
from seq2seq.corpus import decoding
from seq2seq.corpus.ahead import in_order
from seq2seq.corpus.parts import find_parts
from seq2seq.corpus.reading import count_lines, read_part
from seq2seq.corpus.unpacking import DamagedPartError, Unpacked
from seq2seq.inference import processes

SYLLABLES = ("ab", "cd", "ef", "gh", "ij", "kl", "mn", "op")
LINES = [f"{SYLLABLES[index % 8]}{SYLLABLES[index * 5 % 7]}{SYLLABLES[index // 9 % 8]}." for index in range(100)]
SAMPLED = ("--temperature", "1", "--seed", "3")
FIELDS = dict.fromkeys(("tsv", "jsonl"), ("2",))
SMALL = ("--batch-size", "1")  # chunks of 16 lines


def packing(name):
    """Returns the functions that pack and unpack a file of this name."""
    if name.endswith(".gz"):
        return gzip.compress, gzip.decompress
    if name.endswith(".zst"):
        zstandard = pytest.importorskip("zstandard")
        unpack = lambda data: zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True).read()  # noqa: E731
        return zstandard.ZstdCompressor().compress, unpack
    return bytes, bytes


def write(path, lines):
    path.write_bytes(packing(path.name)[0]("".join(f"{line}\n" for line in lines).encode()))


def read(path):
    return packing(path.name)[1](path.read_bytes()).decode().splitlines()


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return bundle_maker(tmp_path_factory.mktemp("model"))()


@pytest.fixture
def place(tmp_path, monkeypatch):
    """The folder of a test, with three parts of 100 lines, the last without an end of its last line."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    write(tmp_path / "in" / "part-1.txt.gz", LINES[:40])
    write(tmp_path / "in" / "part-2.txt", LINES[40:45])
    (tmp_path / "in" / "part-3.txt").write_text("\n".join(LINES[45:]))
    return tmp_path


@pytest.fixture
def run(model, place, capsys):
    """Decodes; returns exit code and what was said."""

    def run(*options, inputs=("in/part-*",), output="out/"):
        capsys.readouterr()
        given = [part for name in inputs for part in ("--input", name)]
        code = decode.main(["--model", str(model), *given, "--output", output, *map(str, options)])
        out, said = capsys.readouterr()
        assert out == ""
        return code, said

    return run


def refusal(run, *options, **others):
    code, said = run(*options, **others)
    assert code == 2 and said.count("\n") == 1, said
    return said.removeprefix("seq2seq decode: error: ").removesuffix("\n")


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def expected(model, lines=LINES, **options):
    return load(model).translate(lines, **options)


# parts


def test_each_part_becomes_a_part_of_its_name_and_line_numbers_run_through_all(run, place, model):
    assert run(*SAMPLED)[0] == 0
    assert sorted(contents(place / "out")) == ["part-1.txt.gz", "part-2.txt", "part-3.txt"]
    said = [line for name in sorted(contents(place / "out")) for line in read(place / "out" / name)]
    assert said == expected(model, temperature=1.0, seed=3)
    assert said != expected(model, LINES[45:] + LINES[:45], temperature=1.0, seed=3)


def test_parts_come_in_the_order_of_the_patterns_and_of_their_names(place):
    found = find_parts(["in/part-3*", "in/part-[12]*"])
    assert [part.name for part in found] == ["part-3.txt", "part-1.txt.gz", "part-2.txt"]
    assert [(part.form, part.packing) for part in found] == [("text", ""), ("text", "gzip"), ("text", "")]


@pytest.mark.parametrize("ending", ["", ".gz", ".zst"])
def test_tsv_and_jsonl_have_a_field_for_the_source(run, place, model, ending):
    texts = expected(model, LINES[:20])
    write(place / f"a.tsv{ending}", [f"{index}\t{line}" for index, line in enumerate(LINES[:20])])
    assert run("--field", "2", inputs=[f"a.tsv{ending}"])[0] == 0
    rows = [row.split("\t") for row in read(place / "out" / f"a.tsv{ending}")]
    assert [(row[0], row[3]) for row in rows] == [(str(number), text) for number, text in enumerate(texts, 1)]
    write(place / f"b.jsonl{ending}", [json.dumps({"id": line, "text": line}) for line in LINES[:20]])
    assert run(inputs=[f"b.jsonl{ending}"], output="json/")[0] == 0
    records = [json.loads(row) for row in read(place / "json" / f"b.jsonl{ending}")]
    assert [(record["source"], record["text"]) for record in records] == list(zip(LINES, texts, strict=False))
    assert run("--format", "text", "--field", "id", inputs=[f"b.jsonl{ending}"], output="text/")[0] == 0
    assert read(place / "text" / f"b.jsonl{ending}") == texts


def test_parquet_becomes_parquet(run, place, model):
    parquet, pyarrow = pytest.importorskip("pyarrow.parquet"), pytest.importorskip("pyarrow")
    parquet.write_table(pyarrow.table({"id": range(50), "word": [*LINES[:49], None]}), place / "a.parquet")
    assert "a.parquet: has no column 'text'; its columns are id, word; name one with --field" in refusal(
        run, inputs=["a.parquet"]
    )
    code, said = run("--field", "word", *SMALL, inputs=["a.parquet"], output="words/")
    assert code == 0 and "1 of 50 lines were not decoded and have empty results: words/_errors.jsonl" in said
    rows = parquet.read_table(place / "words" / "a.parquet").to_pylist()
    assert [row["text"] for row in rows] == [*expected(model, LINES[:49]), None]
    assert [row["line"] for row in rows] == list(range(1, 51))
    assert rows[-1]["error"] == ("a.parquet:50: expected text in the field 'word', got 'None'; --field names the field")
    assert sorted(contents(place / "words")) == ["_errors.jsonl", "a.parquet"]


def test_tags_are_a_second_field(run, place, tmp_path_factory):
    rows = [f"{one}\t{one}{one}\t{tag}" for one in SYLLABLES for tag in ("N;SG", "N;PL")]
    tagged = bundle_maker(tmp_path_factory.mktemp("tagged"))(rows=rows, data={"features_col": 3})
    write(place / "a.tsv", ["ab\tN;PL", "cd\tN;SG"])
    write(place / "b.jsonl", ['{"word": "ab", "tags": "N;PL"}', '{"word": "cd", "tags": "N;SG"}'])
    texts = expected(tagged, ["ab\tN;PL", "cd\tN;SG"])
    for name, options in (("a.tsv", ()), ("b.jsonl", ("--field", "word,tags"))):
        assert run("--model", tagged, "--format", "text", *options, inputs=[name], output=f"{name}.d/")[0] == 0
        assert read(place / f"{name}.d" / name) == texts


# lines that cannot be decoded


def test_refused_lines_are_collected_with_part_and_line_and_stop_no_others(run, place, model):
    lines = [*LINES[:5], "ab☃", "a" * 30, *LINES[5:20]]
    write(place / "a.txt.gz", lines)
    (place / "b.txt").write_bytes(b"abcd.\n\xff\nefgh.\n")
    options = ("--oov", "error", "--max-source-length", "20", *SMALL)
    code, said = run(*options, inputs=["a.txt.gz", "b.txt"])
    assert code == 0
    assert said.endswith("3 of 25 lines were not decoded and have empty results: out/_errors.jsonl\n")
    texts = expected(model, LINES[:20])
    assert read(place / "out" / "a.txt.gz") == [*texts[:5], "", "", *texts[5:]]
    first, second = expected(model, ["abcd.", "efgh."])
    assert read(place / "out" / "b.txt") == [first, "", second]
    errors = [json.loads(row) for row in (place / "out" / "_errors.jsonl").read_text().splitlines()]
    assert [(error["part"], error["line"]) for error in errors] == [("a.txt.gz", 6), ("a.txt.gz", 7), ("b.txt", 2)]
    assert "a.txt.gz:6, column 3: expected a character that the model has seen" in errors[0]["error"]
    assert "a.txt.gz:7: expected at most 20 symbols, got 30" in errors[1]["error"]
    assert "b.txt:2: expected UTF-8 text, got byte 0xff at column 1" in errors[2]["error"]
    assert "a.txt.gz:6, column 3: expected a character" in refusal(
        run, *options, "--on-bad-line", "error", inputs=["a.txt.gz", "b.txt"], output="strict/"
    )
    assert run(*options, "--format", "tsv", inputs=["a.txt.gz"], output="tsv/")[0] == 0
    assert read(place / "tsv" / "a.txt.gz")[5:7] == ["6\t\t\t", "7\t\t\t"]


def test_a_line_of_any_length_is_refused_without_being_kept(place, monkeypatch):
    monkeypatch.setattr("seq2seq.files.lines.FEWEST_BYTES", 100)
    (place / "long.txt").write_bytes(b"one\n" + b"a" * 100_000 + b"\ntwo\n" + b"b" * 300)
    found = list(read_part(*find_parts(["long.txt"]), FIELDS, 1))
    assert [found[0], found[2]] == ["one", "two"]
    for index in (1, 3):
        assert found[index] == (
            f"long.txt:{index + 1}: expected a line of at most 1 symbols, got more than 100 bytes; cut it into "
            "sentences, one a line"
        )


@pytest.mark.parametrize(
    ("name", "row", "reason"),
    [
        ("a.tsv", "ab", "a.tsv:1: expected 2 tab-separated columns, got 1: 'ab'; --field names the column"),
        ("a.jsonl", "[1]", "a.jsonl:1: expected a JSON object, got '[1]'"),
        ("a.jsonl", "{", "a.jsonl:1: expected a JSON object, got '{'"),
        (
            "a.jsonl",
            '{"a": "b"}',
            "a.jsonl:1: expected text in the field '2', got the fields a; --field names",
        ),
        ("a.jsonl", '{"2": 3}', "a.jsonl:1: expected text in the field '2', got '3'; --field names the field"),
        (
            "a.jsonl",
            '{"2": "a\\nb"}',
            "a.jsonl:1: expected one line in the field '2', got several; cut it into",
        ),
    ],
)
def test_a_record_without_its_field_is_refused(place, name, row, reason):
    write(place / name, [row])
    (found,) = read_part(*find_parts([name]), FIELDS, 100)
    assert found.startswith(reason)


# damaged parts


@pytest.mark.parametrize("ending", [".gz", ".zst"])
@pytest.mark.parametrize("harm", ["cut", "changed"])
def test_a_damaged_part_is_named_and_the_others_are_decoded(run, place, model, ending, harm):
    names = [f"a.txt{ending}", "b.txt"]
    write(place / names[0], LINES[:50])
    write(place / names[1], LINES[50:])
    whole = (place / names[0]).read_bytes()
    harmed = whole[:-9] if harm == "cut" else whole[:20] + bytes([whole[20] ^ 0xFF, whole[21] ^ 0xFF]) + whole[22:]
    (place / names[0]).write_bytes(harmed)
    message = refusal(run, "--on-bad-line", "error", inputs=names, output="strict/")
    assert re.fullmatch(
        rf"a\.txt{ending}: is damaged: .+; restore the file, and give the same command again", message
    ), message
    code, said = run(*SAMPLED, inputs=names)
    assert code == 1
    assert said.endswith("1 of 2 parts are damaged and have no results: out/_errors.jsonl\n")
    assert sorted(contents(place / "out")) == ["_errors.jsonl", "b.txt"]
    (error,) = map(json.loads, (place / "out" / "_errors.jsonl").read_text().splitlines())
    assert (error["part"], error["line"], error["error"]) == (names[0], None, message)
    # repaired: the numbers of the later lines change, and they are sampled again
    (place / names[0]).write_bytes(whole)
    assert run(*SAMPLED, inputs=names)[0] == 0
    assert sorted(contents(place / "out")) == names
    found = read(place / "out" / names[0]) + read(place / "out" / names[1])
    assert found == expected(model, temperature=1.0, seed=3)


def test_a_damaged_parquet_file_is_named(run, place):
    pytest.importorskip("pyarrow")
    (place / "a.parquet").write_bytes(b"PAR1 and something else")
    assert refusal(run, "--on-bad-line", "error", inputs=["a.parquet"]).startswith("a.parquet: is damaged: ")


def test_packed_files_of_several_members_are_read_to_their_end(place):
    for name in ("a.gz", "a.zst"):
        pack, _ = packing(name)
        content = pack(b"one\ntw") + pack(b"") + pack(b"o\n")
        kind = {"a.gz": "gzip", "a.zst": "zstd"}[name]
        assert io.BufferedReader(Unpacked(io.BytesIO(content), kind, place / name)).read() == b"one\ntwo\n"


# going on


def test_a_finished_run_does_nothing_and_says_so(run, place):
    assert run(*SAMPLED)[0] == 0
    before = {path: path.stat().st_mtime_ns for path in (place / "out").glob("part*")}
    code, said = run(*SAMPLED)
    assert code == 0 and said.startswith("3 of 3 parts were finished before\n")
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_a_folder_keeps_its_seed(run, place):
    assert "seed: " in run("--temperature", "1")[1]
    first = contents(place / "out")
    (place / "out" / "part-2.txt").unlink()
    assert run("--temperature", "1")[0] == 0
    assert contents(place / "out") == first


def test_a_full_disk_is_said_and_the_same_command_goes_on(run, place, full_disk, monkeypatch):
    assert run(*SAMPLED, *SMALL, output="whole/")[0] == 0
    code, rooms, flush = 2, iter(range(0, 100, 4)), os.fsync
    while code:
        full_disk(next(rooms))
        code, said = run(*SAMPLED, *SMALL)
        monkeypatch.setattr(os, "fsync", flush)
        assert not code or (code == 2 and "No space left on device" in said), said
    assert next(rooms) > 12
    assert contents(place / "out") == contents(place / "whole")


def test_other_options_and_other_inputs_are_refused_with_the_way_out(run, place):
    assert run(*SAMPLED)[0] == 0
    before = contents(place / "out")
    assert refusal(run, "--temperature", "1", "--seed", "4") == (
        "--output out: has results of other options (seed); give the same ones, or another folder"
    )
    assert refusal(run, *SAMPLED, inputs=["in/part-[12]*"]) == (
        "--output out: has results of part-3.txt, which is not among the inputs; give the same inputs, or "
        "another folder"
    )
    write(place / "in" / "part-2.txt", LINES[:5])
    assert refusal(run, *SAMPLED) == (
        "--output out: has results of another part-2.txt: in/part-2.txt has changed since; give another folder, or "
        "remove out/_seq2seq/parts/part-2.txt.json and out/part-2.txt to decode it anew"
    )
    assert contents(place / "out") == before


def test_a_run_that_was_refused_before_its_first_result_leaves_the_choice_of_options(run, place, model):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pyarrow.table({"english": LINES[:5], "french": LINES[5:10]}), place / "in" / "a.parquet")
    said = refusal(run, inputs=["in/a.parquet"])
    assert said == "in/a.parquet: has no column 'text'; its columns are english, french; name one with --field"
    assert run("--field", "english", inputs=["in/a.parquet"])[0] == 0
    found = parquet.read_table(place / "out" / "a.parquet").to_pydict()
    assert found["text"] == expected(model, LINES[:5])
    assert "has results of other options (field)" in refusal(run, "--field", "french", inputs=["in/a.parquet"])


def test_a_pattern_that_the_shell_resolved_names_several_parts(run, place, model, capsys):
    names = sorted(str(path) for path in (place / "in").iterdir())
    assert decode.main(["--model", str(model), "-i", *names[:2], "-i", names[2], "-o", "out/"]) == 0
    assert run(output="other/")[0] == 0
    assert contents(place / "out") == contents(place / "other")


def test_what_others_wrote_is_never_replaced(run, place):
    (place / "out").mkdir()
    (place / "out" / "part-2.txt").write_text("a thesis")
    assert refusal(run) == (
        "--output out: out/part-2.txt exists, and no run of this program wrote it there; move it away, or give "
        "another folder"
    )
    assert contents(place / "out") == {"part-2.txt": b"a thesis"}
    (place / "out" / "part-2.txt").rename(place / "out" / "_errors.jsonl")
    shutil.rmtree(place / "out" / "_seq2seq")
    assert "out/_errors.jsonl exists, and no run of this program wrote it there" in refusal(run)
    assert contents(place / "out") == {"_errors.jsonl": b"a thesis"}
    assert refusal(run, output="in/") == "--output in: is the folder of in/part-1.txt.gz too; give another folder"
    assert run(output="other/")[0] == 0
    (place / "other" / "part-2.txt").write_text("a thesis")
    assert refusal(run, output="other/") == (
        "--output other: other/part-2.txt is not the file that was written there; move it away, and it is decoded anew"
    )


def test_a_damaged_record_is_named(run, place):
    assert run()[0] == 0
    (place / "out" / "_seq2seq" / "parts" / "part-2.txt.json").write_text("[")
    assert refusal(run) == (
        "out/_seq2seq/parts/part-2.txt.json: is damaged: Expecting value: line 1 column 2 (char 1); remove out, or "
        "give another --output folder"
    )


# options


@pytest.mark.parametrize(
    ("options", "inputs", "output", "reason"),
    [
        ((), ["none-*.txt"], "out/", "--input none-*.txt: no such file; give a name, or a pattern in quotes such as"),
        ((), ["in"], "out/", "--input in: expected a file, got a folder; give 'in/*' for the files in it"),
        ((), ["in/part-2.txt", "b/part-2.txt"], "out/", "--input: two parts have the name part-2.txt: in/part-2.txt"),
        ((), ["-"], "out/", "results in a folder have the names of the inputs, and standard input has none"),
        ((), ["in/part-*"], "out.txt", "the results of several inputs go into a folder; give --output FOLDER/"),
        ((), ["in/part-1.txt.gz"], "out.txt", "the results of a compressed input go into a folder; give --output"),
        ((), ["b/a.parquet.gz"], "out/", "--input b/a.parquet.gz: Parquet is compressed inside the file; decompress"),
        (("--field", "a"), ["in/part-2.txt"], "out/", "--field: is about parts of tsv, jsonl or Parquet, and"),
        (("--field", "a"), ["b/a.tsv"], "out/", "--field a: a.tsv is tsv, whose columns have numbers; give a number"),
        (("--field", "1,"), ["b/a.tsv"], "out/", "--field: expected a name or the number of a column, got '1,'"),
        (("--field", "a"), ["in/part-2.txt"], "o", "--field: is about results in a folder; give --output FOLDER/ too"),
        (("--engine", "ray"), ["in/part-2.txt"], "o", "--engine: is about results in a folder; give --output FOLDER/"),
        (("--address", "a:1"), ["in/part-2.txt"], "out/", "--address a:1: is that of a Ray cluster; give --engine ray"),
        (("--jobs", "0"), ["in/part-2.txt"], "o", "--jobs: expected at least 1, got 0"),
        (("--jobs", "2", "--runtime", "keras"), ["in/part-2.txt"], "o", "--jobs 2: processes have NumPy's runtime"),
    ],
)  # fmt: skip
def test_options_that_do_not_fit_are_refused(run, place, options, inputs, output, reason):
    (place / "b").mkdir()
    for name in ("part-2.txt", "a.parquet.gz", "a.tsv"):
        (place / "b" / name).write_text("")
    assert reason in refusal(run, *options, inputs=inputs, output=output)
    assert sorted(path.name for path in place.iterdir()) == ["b", "in"]


@pytest.mark.parametrize("library", ["zstandard", "pyarrow"])
def test_a_missing_library_is_named_with_its_extra(run, place, monkeypatch, library):
    name, extra = {"zstandard": ("a.txt.zst", "zstd"), "pyarrow": ("a.parquet", "parquet")}[library]
    (place / name).write_bytes(b"")
    monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    assert refusal(run, inputs=[name]) == (
        f"{name}: needs {library}, which is not installed: run pip install '.[{extra}]' in the folder of "
        "seq2seq's source"
    )


# several processes


def test_several_processes_write_the_bytes_of_one(run, place):
    options = (*SAMPLED, *SMALL, "--oov", "error")
    write(place / "in" / "part-2.txt", [*LINES[40:42], "ab☃", *LINES[43:45]])
    assert run(*options, "--jobs", 1, output="one/")[0] == 0
    assert run(*options, "--jobs", 2, output="two/")[0] == 0
    assert contents(place / "one") == contents(place / "two")
    for jobs in (1, 2):
        assert run(*SAMPLED, *SMALL, "--jobs", jobs, inputs=["in/part-3.txt"], output=f"{jobs}.txt")[0] == 0
    assert (place / "1.txt").read_bytes() == (place / "2.txt").read_bytes()


@pytest.mark.parametrize(("few", "started"), [(64, 2), (1000, None)])
def test_processes_start_only_where_the_input_is_long(run, place, monkeypatch, few, started):
    counts = []

    class Spy(processes.ModelProcesses):
        def __init__(self, load, count, **options):
            counts.append(count)
            super().__init__(load, count, **options)

    monkeypatch.setattr(processes, "ModelProcesses", Spy)
    monkeypatch.setattr(decoding, "FEW_LINES", few)
    monkeypatch.setattr(decoding, "core_count", lambda: 2)
    assert run(*SMALL)[0] == 0
    assert counts == ([started] if started else [])


def test_piped_lines_are_answered_when_they_pause(place, model):
    command = [sys.executable, "-m", "seq2seq.decode", "--model", str(model), "--jobs", "2"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        for line, text in zip(LINES[:3], expected(model, LINES[:3]), strict=True):
            child.stdin.write(f"{line}\n".encode())
            child.stdin.flush()
            assert child.stdout.readline() == f"{text}\n".encode()
        child.stdin.close()
        assert child.stdout.read() == b""
        assert child.wait() == 0


def test_workers_and_short_inputs_import_no_more_than_they_need(place, model):
    write(place / "in" / "one.txt", ["abcd."])
    code = f"""
import sys
import seq2seq.corpus.ray_engine
from seq2seq import decode
assert decode.main(["--model", {str(model)!r}, "-i", "in/one.txt", "-o", "out/"]) == 0
assert not {{"tensorflow", "keras", "ray", "pyarrow", "zstandard", "multiprocessing"}} & set(sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_items_are_read_only_a_few_ahead_and_their_results_come_in_order():
    read = []
    futures = {}

    def items():
        for item in range(10):
            read.append(item)
            yield item

    def submit(item):
        futures[item] = Future()
        futures[item].set_result(item * item)
        return futures[item]

    found = in_order(items(), submit, most=3)
    assert next(found) == (0, 0)
    assert len(read) <= 6
    assert list(found) == [(item, item * item) for item in range(1, 10)]


def test_an_error_comes_after_the_results_before_it_and_the_reader_ends():
    def items():
        yield 1
        raise ValueError("the second")

    def submit(item):
        future = Future()
        future.set_result(item)
        return future

    before = set(threading.enumerate())
    found = in_order(items(), submit, most=3)
    assert next(found) == (1, 1)
    with pytest.raises(ValueError, match="the second"):
        next(found)
    endless = in_order(iter(int, 1), submit, most=2)
    next(endless)
    endless.close()
    for thread in set(threading.enumerate()) - before:
        thread.join(60)
        assert not thread.is_alive()


# what a folder of files may hold


@pytest.mark.parametrize("name", ["_seq2seq", "_errors.jsonl", "part-2.txt.partial"])
def test_a_part_whose_output_would_be_a_file_of_the_run_itself_is_refused(run, place, name):
    (place / "in" / name).write_text('{"text":"abcd."}\n')
    said = refusal(run, inputs=("in/*",))
    assert said == (
        f"--input in/{name}: its output would have the name of a file that this program itself writes there; rename "
        "it, or leave it out"
    )
    assert not (place / "out").exists()


@pytest.mark.skipif(sys.platform in ("darwin", "win32"), reason="names of files are Unicode there")
def test_names_that_are_no_utf_8_are_escaped_in_records(run, place):
    for name, content in ((b"a\xff.txt", b"abcd.\n\xff\n"), (b"b\xff.txt.gz", b"no gzip")):
        with open(os.path.join(b"in", name), "wb") as file:
            file.write(content)
    code, said = run(inputs=("in/?\udcff*",))
    assert code == 1 and "1 of 2 lines were not decoded" in said and "1 of 2 parts are damaged" in said
    assert said.startswith("in/b\\udcff.txt.gz: is damaged: ")
    rows = [json.loads(row) for row in (place / "out" / "_errors.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["part"] for row in rows] == ["a\udcff.txt", "b\udcff.txt.gz"]
    assert run(inputs=("in/?\udcff*",))[0] == 1


def test_a_field_that_is_no_utf_8_is_refused(run, place):
    write(place / "in" / "a.jsonl", ['{"text": "abcd."}'])
    said = refusal(run, "--field", "te\udcff", inputs=("in/a.jsonl",))
    assert said == "--field: expected a name or the number of a column, got 'te\\udcff'"


def test_a_name_that_is_too_long_for_its_record_is_named(run, place):
    write(place / "in" / ("a" * 250), LINES[:1])
    assert refusal(run, inputs=("in/aa*",)).endswith("aaa.input: File name too long; give a shorter name")


def test_a_damaged_part_whose_name_has_a_line_end_is_said_in_one_line(run, place):
    (place / "in" / "a\nb.txt.gz").write_bytes(b"no gzip")
    code, said = run(inputs=("in/a*",))
    assert code == 1 and "in/a b.txt.gz: is damaged" in said.splitlines()[0]


def test_a_reason_with_a_surrogate_is_written_as_an_escape(run, place):
    (place / "in" / "a.jsonl").write_text('{"\\ud800": 1}\n{"text": "abcd."}\n')
    assert run(inputs=("in/a.jsonl",))[0] == 0
    first, second = map(json.loads, (place / "out" / "a.jsonl").read_text(encoding="utf-8").splitlines())
    assert "got the fields \ud800;" in first["error"] and second["source"] == "abcd."


def test_the_output_of_parquet_is_parquet_and_no_text(run, place):
    write_parquet(place / "in" / "a.parquet", text=["abcd."])
    for form in ("text", "tsv"):
        said = refusal(run, "--format", form, inputs=("in/a.parquet",))
        assert said == (
            f"--format {form}: the output of in/a.parquet has its name, so it is Parquet; leave --format out"
        )
    assert run("--format", "jsonl", inputs=("in/a.parquet",))[0] == 0


def test_text_of_parquet_that_is_no_utf_8_is_refused_line_by_line(run, place):
    pyarrow = pytest.importorskip("pyarrow")
    places = pyarrow.py_buffer(b"".join(number.to_bytes(4, "little") for number in (0, 5, 7)))
    texts = pyarrow.Array.from_buffers(pyarrow.string(), 2, [None, places, pyarrow.py_buffer(b"abcd.\xff\xfe")])
    write_parquet(place / "in" / "a.parquet", text=texts)
    code, said = run(inputs=("in/a.parquet",))
    assert code == 0 and "1 of 2 lines were not decoded" in said
    reason = json.loads((place / "out" / "_errors.jsonl").read_text())["error"]
    assert reason.startswith("a.parquet:2: expected text in the field 'text', got ")


def test_a_column_that_a_parquet_file_has_twice_is_refused(run, place):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = pyarrow.Table.from_arrays([pyarrow.array(["ab"])] * 2, names=["text", "text"])
    parquet.write_table(table, place / "in" / "a.parquet")
    said = refusal(run, inputs=("in/a.parquet",))
    assert said == "in/a.parquet: has several columns 'text'; name another with --field"


def write_parquet(path, **columns):
    pyarrow = pytest.importorskip("pyarrow")
    pytest.importorskip("pyarrow.parquet").write_table(pyarrow.table(columns), path)


def test_a_part_that_is_replaced_while_it_is_read_never_counts_as_the_one_before(run, place, model, monkeypatch):
    decode_chunk, part = decoding.decode, place / "in" / "a.txt"

    def replace_then_decode(*arguments):
        part.write_text("".join(f"{line}\n" for line in reversed(LINES)))
        os.utime(part, ns=(1, 1))  # where the clock of the file system is coarse
        return decode_chunk(*arguments)

    write(part, LINES)
    monkeypatch.setattr(decoding, "decode", replace_then_decode)
    said = refusal(run, *SMALL, inputs=("in/a.txt",))
    assert said == "in/a.txt: has changed while it was read: had 100 lines; give the same command again"
    monkeypatch.undo()
    monkeypatch.chdir(place)
    removing = "remove out/_seq2seq/parts/a.txt.json and out/a.txt.partial to decode it anew"
    assert refusal(run, *SMALL, inputs=("in/a.txt",)).endswith(removing)
    for name in removing.split()[1::2][:2]:
        (place / name).unlink()
    assert run(*SMALL, inputs=("in/a.txt",))[0] == 0
    assert read(place / "out" / "a.txt") == expected(model, LINES[::-1])


def test_zeros_behind_a_gzip_member_are_padding_and_before_it_damage(place):
    member = gzip.compress(b"ab\ncd\n")
    for content, lines in ((member + bytes(1000), 2), (member + bytes(9) + member, 4)):
        (place / "in" / "a.txt.gz").write_bytes(content)
        (part,) = find_parts(["in/a.txt.gz"])
        assert count_lines(part, FIELDS) == lines
    (place / "in" / "a.txt.gz").write_bytes(bytes(1000))
    with pytest.raises(DamagedPartError, match="in/a.txt.gz: is damaged"):
        count_lines(part, FIELDS)


@pytest.mark.parametrize("ending", ["gz", "zst"])
def test_what_unpacks_to_a_thousand_times_its_size_takes_no_more_memory(place, ending):
    path = place / "in" / f"a.txt.{ending}"
    path.write_bytes(packing(path.name)[0](b"a" * (1 << 28)))
    largest = 0
    with path.open("rb") as file:
        unpacked = Unpacked(file, {"gz": "gzip", "zst": "zstd"}[ending], path)
        buffer, size = bytearray(1 << 20), 0
        while count := unpacked.readinto(buffer):
            size += count
            largest = max(largest, len(unpacked.ready))
    assert size == 1 << 28
    assert largest < 1 << 25
