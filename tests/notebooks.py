"""Executes the notebooks, `python -m tests.notebooks`: in place and in full, or reduced and thrown away."""

import os
import sys
from pathlib import Path

import nbformat
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient

FOLDER = Path(__file__).resolve().parent.parent / "notebooks"
QUICK = "SEQ2SEQ_NOTEBOOK_QUICK"


def execute(path: Path, *, quick: bool, kernel: KernelManager | None = None, before: str = "") -> nbformat.NotebookNode:
    """Runs all cells of a notebook in its folder and returns it with outputs; raises on the first error.

    Args:
        path: the file.
        quick: whether the notebook shall make little models.
        kernel: the process that runs it; None: one of its own.
        before: code that runs first.

    """
    notebook = nbformat.read(path, as_version=4)
    if before:
        notebook.cells.insert(0, nbformat.v4.new_code_cell(before))
    os.environ[QUICK] = "1" if quick else ""
    client = NotebookClient(notebook, kernel, timeout=1800, resources={"metadata": {"path": str(path.parent)}})
    client.execute()
    if kernel:
        client.kc.stop_channels()
    return notebook


def main() -> None:
    """Executes the notebooks named, or all, and writes their outputs into them."""
    for path in [Path(name) for name in sys.argv[1:]] or sorted(FOLDER.glob("*.ipynb")):
        print(f"executing {path.name}", file=sys.stderr, flush=True)
        notebook = execute(path, quick=False)
        for cell in notebook.cells:
            cell.metadata.pop("execution", None)
        nbformat.write(notebook, path)


if __name__ == "__main__":
    main()
