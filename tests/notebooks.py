"""Executes the notebooks, `python -m tests.notebooks`: in place and in full, or reduced and thrown away."""

import os
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).resolve().parent.parent / "notebooks"
QUICK = "SEQ2SEQ_NOTEBOOK_QUICK"


def execute(path: Path, *, quick: bool) -> nbformat.NotebookNode:
    """Runs all cells of a notebook in its folder and returns it with outputs; raises on the first error."""
    notebook = nbformat.read(path, as_version=4)
    os.environ[QUICK] = "1" if quick else ""
    NotebookClient(notebook, timeout=1800, resources={"metadata": {"path": str(path.parent)}}).execute()
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
