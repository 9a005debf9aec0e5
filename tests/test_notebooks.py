"""Every notebook runs from start to end, is stored with its outputs, and defines nothing the package should own."""

import nbformat
import pytest
from jupyter_client.manager import KernelManager

from notebooks import FOLDER, execute

NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
# as in conftest.py: small graphs, left as they are; then no name is left of the notebook before
BEFORE = """
from seq2seq.models import step
from seq2seq.models.backend import tf

step.core_count = lambda: 1
tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
%reset -f
assert "QUICK" not in globals()
"""


@pytest.fixture(scope="module")
def kernel():
    """One process for all notebooks, since it imports TensorFlow, which takes seconds."""
    manager = KernelManager()
    yield manager
    manager.shutdown_kernel(now=True)


def test_there_are_notebooks():
    assert len(NOTEBOOKS) >= 2


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs_from_start_to_end(path, kernel):
    notebook = execute(path, quick=True, kernel=kernel, before=BEFORE)
    printed = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert any(output.output_type == "display_data" for output in printed)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_stored_executed_in_order(path):
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert not any(output.output_type == "error" for cell in cells for output in cell.outputs)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_defines_no_class(path):
    for cell in nbformat.read(path, as_version=4).cells:
        assert cell.cell_type != "code" or "\nclass " not in "\n" + cell.source
