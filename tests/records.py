"""Changes a finished model folder as its writer could: with the hashes that config.json keeps."""

import json

from seq2seq.bundle.record import CONFIG, sealed
from seq2seq.files.reading import sha256_of
from seq2seq.files.writing import write_json


def read_config(folder):
    """Returns the content of config.json, unchecked."""
    return json.loads((folder / CONFIG).read_text(encoding="utf-8"))


def write_config(folder, record):
    """Writes config.json with its own hash."""
    write_json(folder / CONFIG, sealed(record))


def rehash(folder):
    """Updates the hashes in config.json after files have changed."""
    record = read_config(folder)
    digests = {name: sha256_of(folder / name) for name in record["sha256"] if (folder / name).is_file()}
    write_config(folder, {**record, "sha256": digests})
