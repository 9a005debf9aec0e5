"""Writes the course of a run for TensorBoard, as event files of TensorFlow's own writer.

Values are kept until the next checkpoint is whole and written then, so a run that was interrupted and continues has
each step once, in a second file of the same folder.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seq2seq.errors import OptionError
from seq2seq.models.backend import tf

FILES = "events.out.tfevents.*"
SCALARS = "scalars"  # the part of TensorBoard that shows a number


class Events:
    """Collects numbers by step, and writes them.

    Args:
        folder: receives the event files; None: nothing is written.
        continues: whether the run has checkpoints; a new one needs a folder without event files.

    Raises:
        OptionError: the folder cannot be written, or holds the events of another run.

    """

    def __init__(self, folder: Path | None, *, continues: bool) -> None:
        self.folder = folder
        self.waiting: list[tuple[int, Mapping[str, float]]] = []
        self.writer: Any = None
        if folder is None:
            return
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OptionError(f"--tensorboard {folder}: cannot be a folder: {error.strerror}; give another") from error
        if not os.access(folder, os.W_OK | os.X_OK):
            raise OptionError(f"--tensorboard {folder}: cannot be written; change its permissions, or give another")
        held = sorted(folder.glob(FILES))
        if held and not continues:
            raise OptionError(
                f"--tensorboard {folder}: holds the events of another run ({held[0].name}), and a new run would be "
                "drawn into its curves; give another folder, or move these files away"
            )

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """Keeps the values of a step, by name."""
        if self.folder is not None:
            self.waiting.append((step, values))

    def flush(self) -> None:
        """Writes what was kept, after the checkpoint that the next process would continue from."""
        if not self.waiting:
            return
        try:
            self.write()
        except tf.errors.OpError as error:
            reason = error.message.splitlines()[0].rpartition("; ")[2]
            raise OptionError(
                f"--tensorboard {self.folder}: cannot be written: {reason}; make room or change the permissions; then "
                "the same command goes on"
            ) from error
        self.waiting = []

    def write(self) -> None:
        """Writes what is waiting into the event file."""
        if self.writer is None:
            self.writer = tf.summary.create_file_writer(str(self.folder))
        scalar = tf.compat.v1.SummaryMetadata(plugin_data={"plugin_name": SCALARS})
        with self.writer.as_default():
            for step, values in self.waiting:
                for name, value in values.items():
                    tf.summary.write(name, tf.constant(value, tf.float32), step=step, metadata=scalar)
        self.writer.flush()

    def close(self) -> None:
        """Ends the file; values that no checkpoint covers are left out."""
        if self.writer is not None:
            self.writer.close()
