"""`import tuner` as people use it: scripts with a class in their main file, the README's among them, and a notebook."""

from __future__ import annotations

import ast
import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.sweeps.conftest import MODELS, Cli, check_history, environment, outputs
from tuner.sweep import Sweep

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")]

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "tests" / "api" / "first_sweep.ipynb"
README = ROOT / "README.md"
IN_PYTHON = MODELS / "in_python.py"


@pytest.fixture
def told(cli: Cli) -> Iterator[dict[str, str]]:
    """What a program's environment says, such that it uses the tests' cluster; the store is there already."""
    cli._prepare()
    yield {**environment(), "RAY_ADDRESS": cli.address, "RAY_AUTH_MODE": "disabled", "TUNER_STORAGE": str(cli.root)}


def start(cli: Cli, told: dict[str, str], script: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(script), *arguments]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=told, start_new_session=True
    )
    cli.started.append(process)
    return process


def test_a_program_stops_and_resumes_its_sweep_beside_a_ray_of_its_own(
    cli: Cli, told: dict[str, str], tmp_path: Path
) -> None:
    slow_while = tmp_path / "slow"
    slow_while.touch()
    what = "stopped_and_resumed_beside_a_ray_of_its_own"
    process = start(cli, told, IN_PYTHON, what, str(cli.root), str(slow_while))
    data, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    found: dict[str, Any] = json.loads(data)
    assert found["stopped"][0] == "SweepInterrupted" and "stopped by the program" in found["stopped"][1]
    assert found["while it ran"] == ["running", True] and found["left"] == "interrupted"
    assert "this process runs sweep first" in found["at the same time"]
    assert found["ended"] == ["finished", 5, True]
    assert found["loss"][0] == pytest.approx(found["loss"][1], rel=1e-3)
    assert found["ray"] and found["handlers"] and found["changed"] == []
    check_history(cli.folder("first"))


def test_the_script_of_the_readme_is_interrupted_and_resumes(cli: Cli, told: dict[str, str], tmp_path: Path) -> None:
    script = tmp_path / "my_model.py"
    script.write_text(re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)[0])
    process = start(cli, told, script)
    cli.wait_for("first", lambda sweep: sweep.num_epochs > 0)
    process.send_signal(signal.SIGINT)
    data, errors = outputs(process, 0)
    assert "stopping after the running epochs" in errors
    *table, test = data.splitlines()
    assert table[0].split() == ["number", "learning_rate", "batch_size", "units", "best", "epochs"] and len(table) == 6
    assert ast.literal_eval(test)["accuracy"] > 0.9
    sweep = check_history(cli.folder("first"))
    assert len(sweep.spans) == 2
    data, errors = outputs(start(cli, told, IN_PYTHON, "resumed", str(cli.root)), 0)
    other, diff, *_ = data.splitlines()
    assert other == "code: MyModel.py is changed since the sweep was trained with it" and diff.startswith("  --- ")
    assert "with_changed_code=True takes the new one" in data
    assert data.splitlines()[-2].startswith("trainable: MyModel is a class of a notebook or a script")
    assert data.splitlines()[-1] == "finished" and errors == ""
    refused = cli("export", "first", exit_code=2).stderr
    assert refused.startswith("trainable: MyModel is a class of a notebook") and refused.count("\n") == 1
    assert _no_pickles(cli.root / "first") and "load_digits" in _kept(cli.root / "first", sweep)


def test_the_notebook_leads_from_data_to_the_best_model(
    cli: Cli, told: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import nbformat
    from mlflow import MlflowClient
    from nbclient import NotebookClient

    for name, value in told.items():
        monkeypatch.setenv(name, value)
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert all(not cell.get("outputs") for cell in notebook.cells)
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert [output for output in shown if output.output_type == "stream"] == []
    pages = [output.data.get("text/html", "") for output in shown if "data" in output]
    assert any("first: all 8 trials ended" in page for page in pages), pages
    assert any("first (finished)" in page for page in pages) and any("dataframe" in page for page in pages)
    assert sum("<iframe" in page for page in pages) == 2  # the figures of `sweep`, and the chart of `sweep.plot`
    sweep = check_history(cli.folder("first"))
    client = MlflowClient(cli.folder("first").root.default_tracking_uri)
    experiment = client.get_experiment_by_name("first")
    assert experiment is not None
    assert sweep.best is not None and sweep.best.best_value > 0.8
    [model] = client.search_logged_models([experiment.experiment_id])
    assert model.tags["tuner.trial"] == str(sweep.best.number) and model.status == "READY"
    assert {metric.key: metric.value for metric in model.metrics}[sweep.metric] == sweep.best.best_value
    assert "class Digits(Trainable)" in _kept(cli.root / "first", sweep)


def _no_pickles(folder: Path) -> bool:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return not any(path.suffix in (".pkl", ".pickle") or path.read_bytes()[:1] == b"\x80" for path in files)


def _kept(folder: Path, sweep: Sweep) -> str:
    [file] = (folder / "code").rglob("*.py")
    assert sweep.code["main"] == file.name
    return file.read_text()
