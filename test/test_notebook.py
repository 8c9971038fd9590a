"""The notebook of the first steps runs without a network, and is committed without outputs."""

from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[1] / "docs" / "first_steps.ipynb"
LABELS = ["low", "middle", "high", "highest"]


def test_the_notebook_leads_from_a_table_to_predictions_and_a_report(tmp_path, monkeypatch):
    notebook = nbformat.read(NOTEBOOK, 4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in code)
    assert all(len(line) <= 120 for cell in notebook.cells for line in cell.source.splitlines())
    for name, value in {"PYTHONPATH": str(NOTEBOOK.parents[1]), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}.items():
        monkeypatch.setenv(name, value)
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    bundles, predicted, report = (cell.outputs[-1].data for cell in code[-3:])
    assert "keyword_tiny_lora_random/seed1/bundle" in bundles["text/plain"]
    assert predicted["text/plain"] == repr(LABELS)
    assert all(f"| {method}_random | 1 |" in report["text/markdown"] for method in ("linear_probe", "lora"))
