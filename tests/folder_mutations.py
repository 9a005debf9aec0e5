"""Mutates model folders and decodes with each: it decodes as before, or is refused with one line of ours.

    python -m tests.folder_mutations --count 2000 --seed 1              # --first 1000: the second half of them

A mutation changes one thing of one file. In half of them the hashes are recomputed, as somebody does who wants to
deceive: then a model may also say something else, since it is another one, but it may not fail in any other way. Each
may use SECONDS of processor time in `decode` (or `generate`) and in `verify`, and the process MEMORY in all.
"""

import argparse
import contextlib
import io
import itertools
import json
import os
import random
import shutil
import signal
import struct
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
from safetensors.numpy import load, save

from seq2seq import decode, generate, verify
from seq2seq.bundle.record import CONFIG
from seq2seq.version import __version__
from tests.campaigns import memory_of
from tests.records import read_config, rehash

MODELS = Path(__file__).parent / "data" / "models" / __version__
LINES = "abcd.\tAB\nopgh.\tAB\n"  # models without tags read these as unknown symbols
SECONDS, MEMORY = 2.0, 1 << 30  # of processor time for each verb; bytes
BEFORE, OTHER, REFUSED, TOO_LONG, FAILED = "as before", "another text", "refused", "too long", "failed"
VALUES = [
    None, True, False, 0, 1, -1, -5, 2, 3, 7, 50, 256, 10**9, 10**30, 0.5, -1e300, "", "x", "gru", "lstm", "none",
    "luong", "float16", "float32", "translator", "language-model", "transducer", "word", " ", "\t", "\n", "\0",
    "\ud800", "é" * 500,
    "../../etc/passwd", "/etc/passwd", "member-1", "0" * 64, [], [1], [-1, 4], ["a"], {}, {"a": 1}, [[]], "1,-", "9",
]  # fmt: skip
NESTED = ["[" * 1200 + "]" * 1200, '{"a":' * 1200 + "1" + "}" * 1200]
LITERALS = ["NaN", "Infinity", "1e999", "9" * 400, "9" * 5000, *NESTED]
NUMBERS = [np.nan, np.inf, -np.inf, 3e38, -3e38, 1e20, 1e11, 65504, 0, -1, 50]
TEXTS = [b"\xff\xfe", b"\t", b"\n\n\n", b"\r", b"\0", "\ufeff\u0301".encode(), b"x" * 100_000, b"\xed\xa0\x80"]


class Overtime(BaseException):
    """A verb used more processor time than it may."""


# what is changed: each function takes the file's path and a generator, and returns words for what it did


def flip_bytes(path, draw):
    """Changes some bytes."""
    content = bytearray(path.read_bytes())
    for _ in range(draw.choice([1, 1, 2, 8])):
        if content:
            content[draw.randrange(len(content))] = draw.randrange(256)
    path.write_bytes(content)


def cut(path, draw):
    """Shortens a file."""
    content = path.read_bytes()
    path.write_bytes(content[: draw.randrange(len(content) + 1)])


def lengthen(path, draw):
    """Repeats a part of a file, or adds bytes."""
    content = path.read_bytes()
    place = draw.randrange(len(content) + 1)
    more = draw.choice([content, b"\xff", b"\0" * 4096, b"[" * 2000, content[place : place + 40]])
    path.write_bytes(content[:place] + more + content[place:])


def empty(path, draw):
    """Empties a file."""
    path.write_bytes(b"")


def remove(path, draw):
    """Removes a file."""
    path.unlink()


def to_folder(path, draw):
    """Puts a folder in a file's place."""
    path.unlink()
    path.mkdir()


def to_link(path, draw):
    """Puts a link in a file's place: to a device, another file, a file elsewhere with the same content, or itself."""
    if draw.random() < 0.3:
        elsewhere = path.parent.parent / f"elsewhere-{path.name}"
        shutil.copy(path, elsewhere)
    else:
        elsewhere = draw.choice(["/dev/zero", "/etc/passwd", path.name, "nothing", "..", "/dev/stdin"])
    path.unlink()
    path.symlink_to(elsewhere)


def to_pipe(path, draw):
    """Puts a pipe in a file's place, which nobody writes to."""
    path.unlink()
    os.mkfifo(path)


def places(value, path=()):
    """Yields the place of each value in JSON."""
    yield path
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from places(value[key], (*path, key))


def change_json(path, draw):
    """Changes, removes, renames, repeats or adds one value of a JSON file."""
    content = json.loads(path.read_bytes())
    found = [place for place in places(content) if place]
    if not found:
        return flip_bytes(path, draw)
    # a key as often as all items of a long list
    shallow = [place for place in found if len(place) <= 2 and isinstance(place[-1], str)]
    place = draw.choice(shallow if shallow and draw.random() < 0.7 else found)
    parent = content
    for key in place[:-1]:
        parent = parent[key]
    key = place[-1]
    change = draw.choice(["value", "value", "value", "number", "remove", "rename", "literal", "swap", "add"])
    mark = "<<literal>>"
    if change == "value":
        parent[key] = draw.choice(VALUES)
    elif change == "number" and isinstance(parent[key], int | float):
        number = parent[key]
        parent[key] = draw.choice([number + 1, number * 2, -number, number * 1000, number // 2])
    elif change == "rename" and isinstance(parent, dict):
        parent[draw.choice([key + "s", key.upper(), "../" + key])] = parent.pop(key)
    elif change == "literal":
        parent[key] = mark
    elif change == "swap":
        other = draw.choice(list(parent) if isinstance(parent, dict) else range(len(parent)))
        parent[key], parent[other] = parent[other], parent[key]
    elif change == "add" and isinstance(parent, dict):
        parent[draw.choice(["zzz", "members", "restarts", "source_form", "adopted", "weights"])] = draw.choice(VALUES)
    else:
        del parent[key]
    text = json.dumps(content, ensure_ascii=draw.random() < 0.5 or change == "value")
    path.write_bytes(text.replace(f'"{mark}"', draw.choice(LITERALS)).encode("utf-8", "surrogatepass"))
    return None


def change_arrays(path, draw):
    """Changes one array of a safetensors file in name, shape, dtype or number, or the file's own list."""
    try:
        arrays = {name: array.copy() for name, array in load(path.read_bytes()).items()}
    except Exception:  # already damaged
        return
    name = draw.choice(sorted(arrays))
    array = arrays[name]
    change = draw.choice(
        ["remove", "rename", "transpose", "flat", "empty", "row", "dtype", "number", "scale", "add", "header", "swap"]
    )
    if change == "remove":
        del arrays[name]
    elif change == "rename":
        arrays[draw.choice([name + "x", "../" + name, "", "é", name.replace("0", "1")])] = arrays.pop(name)
    elif change == "transpose":
        arrays[name] = np.ascontiguousarray(array.T)
    elif change == "flat":
        arrays[name] = array.reshape(-1, 1)
    elif change == "empty":
        arrays[name] = array[:0]
    elif change == "row":
        arrays[name] = draw.choice([array[:-1], np.concatenate([array, array[:1]])])
    elif change == "dtype":
        arrays[name] = array.astype(draw.choice(["f8", "f2", "f4", "i4", "i8", "u1", "?", "c8"]))
    elif change == "number":
        flat = array.reshape(-1)
        with np.errstate(over="ignore"):  # float16 has no 3e38
            flat[draw.randrange(len(flat))] = draw.choice(NUMBERS)
    elif change == "scale":
        arrays[name] = array * np.asarray(draw.choice([0, -1, 100, 1e4]), array.dtype)
    elif change == "add":
        arrays[draw.choice(["other", "tag_embedding.embeddings", "decoder_9.kernel"])] = array
    elif change == "swap":
        other = draw.choice(sorted(arrays))
        arrays[name], arrays[other] = arrays[other], arrays[name]
    content = save({key: np.ascontiguousarray(values) for key, values in arrays.items()})
    path.write_bytes(spoil_header(content, draw) if change == "header" else content)


def spoil_header(content, draw):
    """Changes the length or the list at the beginning of a safetensors file."""
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    entry = header[draw.choice(sorted(header))]
    change = draw.choice(["length", "shape", "offsets", "dtype", "metadata", "nested"])
    if change == "length":
        return struct.pack("<Q", draw.choice([0, 1, 2**62, 2**64 - 1, length - 1, 99_000_000])) + content[8:]
    if change == "shape":
        entry["shape"] = draw.choice([[10**9, 10**9], [2**63], [0], [], [-1], list(reversed(entry["shape"]))])
    elif change == "offsets":
        entry["data_offsets"] = draw.choice([[0, 2**62], [8, 4], [0, 0], [-4, 4], entry["data_offsets"][::-1]])
    elif change == "dtype":
        entry["dtype"] = draw.choice(["F64", "BF16", "I8", "C64", "BOOL", "X", 5, "F16", "F8_E4M3"])
    else:
        header["__metadata__"] = {"a": "b" * 10_000} if change == "metadata" else {"a": [[[]]]}
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + content[8 + length :]


def change_text(path, draw):
    """Changes a text: bytes that are no UTF-8, tabs, line ends, marks, or much more of it."""
    content = path.read_bytes()
    place = draw.randrange(len(content) + 1)
    path.write_bytes(content[:place] + draw.choice(TEXTS) + content[place:])


ANY = [flip_bytes, cut, lengthen, empty, remove, to_folder, to_link, to_pipe]
BY_SUFFIX = {".json": [change_json] * 12, ".safetensors": [change_arrays] * 10, ".txt": [change_text] * 4}
BY_SUFFIX |= {".tsv": [change_text] * 3, ".csv": [change_text]}


def mutate(folder, draw):
    """Changes one file of a model folder; returns words for what was done."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    important = [path for path in files if path.name == CONFIG or path.suffix == ".safetensors"]
    path = draw.choice(draw.choice([files, important]))
    change = draw.choice([*ANY, *BY_SUFFIX.get(path.suffix, [])])
    change(path, draw)
    return f"{change.__name__} {path.relative_to(folder)}"


def recompute(folder):
    """Recomputes all hashes, those of an ensemble's members first."""
    configs = [path for path in folder.rglob(CONFIG) if path.is_file()]  # a pipe would never end
    for config in sorted(configs, key=lambda path: -len(path.parts)):
        with contextlib.suppress(OSError, ValueError, RecursionError, TypeError, AttributeError, KeyError):
            rehash(config.parent)


def arguments(model, lines):
    """Returns the verb, and its arguments, that a user runs with a model; `model` is the folder that is as it was."""
    if read_config(model)["kind"] == "translator":
        return decode.main, ["--input", str(lines)]
    return generate.main, ["--prompt", "The f", "--length", "12", "--temperature", "0"]


def run(verb, argv):
    """Runs a verb within its processor time; returns its exit code, and what it wrote on stdout and stderr."""
    out, said = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))  # decode writes to the buffer
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(said):
            code = verb(argv)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    for stream in (out, said):
        stream.flush()
    return code, *(stream.buffer.getvalue().decode() for stream in (out, said))


def outcome(folder, verb, argv, expected):
    """Decodes with a folder and verifies it; returns what happened, and words for what should not have."""
    try:
        code, out, said = run(verb, ["--model", str(folder), *argv])
        if code == 0:
            found = BEFORE if out == expected else OTHER
        elif code == 2 and out == "" and said.count("\n") == 1 and ": error: " in said and len(said) < 1000:
            found = REFUSED
        else:
            return FAILED, f"exit {code}: {out!r} {said!r}"
        code, out, said = run(verify.main, ["--model", str(folder)])
        if code not in (0, 2) or (code == 2) != ("FAILED" in out or ": error: " in said) or said.count("\n") > 1:
            return FAILED, f"verify, exit {code}: {out!r} {said!r}"
    except Overtime:
        return TOO_LONG, f"more than {SECONDS} s"
    except BaseException as error:
        return FAILED, f"{type(error).__name__}: {error}"
    return found, ""


def overtime(*_):
    """Ends a verb."""
    raise Overtime


def campaign(models, numbers, seed, report=print):
    """Mutates copies of models, half of them with recomputed hashes; counts each outcome by that half.

    Args:
        models: their folders.
        numbers: of the mutations; each decides, with the seed, what is done to which model.
        seed: of what is drawn.
        report: takes a line about a mutation that is wrong.

    """
    signal.signal(signal.SIGPROF, overtime)
    kinds = list(itertools.product(models, (False, True)))
    counts = {False: Counter(), True: Counter()}
    with tempfile.TemporaryDirectory() as temporary:
        place, expected = Path(temporary) / "place", {}
        lines = Path(temporary) / "lines.txt"
        lines.write_text(LINES, encoding="utf-8")
        for model in models:
            verb, argv = arguments(model, lines)
            code, expected[model], said = run(verb, ["--model", str(model), *argv])
            assert code == 0, said
        for number in numbers:
            model, hashes = kinds[number % len(kinds)]
            folder, draw = place / model.name, random.Random(f"{seed}/{number}")
            shutil.copytree(model, folder)
            what = mutate(folder, draw)
            if hashes:
                recompute(folder)
            found, problem = outcome(folder, *arguments(model, lines), expected[model])
            counts[hashes][found] += 1
            if found in (TOO_LONG, FAILED) or (found == OTHER and not hashes):
                report(f"{model.name} {number}{' with hashes' if hashes else ''}: {what}: {found} {problem}")
            shutil.rmtree(place)
    return counts


def wrong(counts):
    """Counts the mutations that neither decode as before nor are refused with one line."""
    return sum(by[TOO_LONG] + by[FAILED] for by in counts.values()) + counts[False][OTHER]


def main(argv=None):
    """Prints the figures; returns 1 if a mutation is wrong, or the memory was not enough."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--models", type=Path, nargs="*", default=[], help="folders besides those of this version")
    args = parser.parse_args(argv)
    stored = sorted(path for path in MODELS.iterdir() if path.is_dir())
    counts = campaign([*stored, *args.models], range(args.first, args.count), args.seed)
    for hashes, by in counts.items():
        kind = "recomputed hashes" if hashes else "recorded hashes"
        print(f"{kind}: " + ", ".join(f"{by[found]} {found}" for found in (BEFORE, OTHER, REFUSED, TOO_LONG, FAILED)))
    peak = memory_of("self")  # of this program alone: what getrusage tells counts the process that started it too
    print(f"{wrong(counts)} of {args.count - args.first} are wrong; {peak >> 20} MiB at most")
    return int(wrong(counts) > 0 or peak > MEMORY)


if __name__ == "__main__":
    sys.exit(main())
