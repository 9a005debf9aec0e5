"""Inputs that nobody means, and the files that hold them: a name and the reading command in, bytes on disk out."""

import os
from dataclasses import dataclass, field
from pathlib import Path

FAMILY = "\U0001f468\U0001f3fd\u200d\U0001f469\U0001f3ff\u200d\U0001f467"  # with skin tones and joiners
RIGHT_TO_LEFT = "\u202eשלום\u202c مرحبا e\u0301\u0302\u0327\u0300"  # with marks of direction and combining accents
LONG, MANY = 100_000, 300  # characters of the long line, and lines

# what each kind of file holds, as the only content or among lines that are right
CONTENTS = {
    "empty": b"",
    "binary": bytes(range(256)) * 40,
    "long line": b"abcd." * (LONG // 5) + b"\n",
    "many lines": b"abcd.\n" * MANY,
    "mixed encodings": "né\n".encode() + "né\n".encode("latin-1"),
    "NUL": b"ab\x00cd\n",
    "lone surrogate": b"ab\xed\xa0\x80cd\n",
    "right to left": f"{RIGHT_TO_LEFT}\n".encode(),
    "emoji": f"{FAMILY}\n".encode(),
}


@dataclass(frozen=True)
class Command:
    """A command that reads a file; `{file}` and other names in braces stand for paths."""

    arguments: str
    ending: str = ".txt"
    pairs: bool = False  # lines are source<TAB>target
    among: bytes = b""  # lines that are right, in which the strange ones stand
    others: tuple[str, ...] = field(default=())


def content_for(name: str, command: Command) -> bytes:
    """Returns the bytes of a kind of file in the form that a command reads."""
    content = CONTENTS[name]
    if command.pairs and name not in ("empty", "binary"):
        content = b"".join(line + b"\t" + line + b"\n" for line in content.split(b"\n") if line)
    return content if name in ("empty", "binary") else command.among + content


def place(name: str, command: Command, folder: Path) -> Path:
    """Makes the file of a kind in a folder, and returns its path."""
    path = folder / f"file{command.ending}"
    if name == "missing":
        return path
    if name == "folder":
        path.mkdir()
        return path
    if name == "no permission":
        path.write_bytes(b"abcd.\tcdab!\n")
        path.chmod(0)
        return path
    if name == "device":
        path.symlink_to("/dev/zero")
        return path
    if name == "pipe":
        os.mkfifo(path)
        return path
    path.write_bytes(content_for(name, command))
    return path
