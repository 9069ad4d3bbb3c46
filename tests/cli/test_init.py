"""tuner init --from: what it writes, what it says, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from tuner.base.errors import UsageError
from tuner.cli.init_command import init
from tuner.spec import load_spec

WANDB = """\
method: bayes
metric: {name: val_accuracy, goal: maximize}
entity: us
run_cap: 20
parameters:
  learning_rate: {distribution: log_uniform_values, min: 1.0e-4, max: 1.0e-1}
  units: {distribution: normal, mu: 64, sigma: 16}
  epochs: {value: 9}
"""
MODEL = """\
from trainables import Data, Trainable, TrainingParams

class Net(Trainable):
    loss = "mse"

    class Params(TrainingParams):
        units: float = 64.0

    def load_data(self):
        return Data(train=([], []), validation=([], []))

    def build_model(self, params):
        raise NotImplementedError
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wandb.yaml").write_text(WANDB)
    return tmp_path


def test_what_has_no_counterpart_is_in_the_file_and_on_standard_error(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    init(source="wandb.yaml", output="ours.yaml")
    said = capsys.readouterr()
    assert said.out == ""
    lines = said.err.splitlines()
    assert "wandb.yaml: entity: there is nothing like it here; left out" in lines
    assert lines[-1] == "wrote ours.yaml; see what it would do: tuner check ours.yaml"
    comments = [line for line in (folder / "ours.yaml").read_text().splitlines() if line.startswith("#   ")]
    assert [f"wandb.yaml: {comment[4:]}" for comment in comments] == lines[:-1]
    spec = load_spec("ours.yaml")
    assert (spec.name, spec.num_trials, spec.epochs.max, spec.objective.mode) == ("wandb", 20, 9, "max")


def test_a_model_beside_it_is_what_is_trained(folder: Path) -> None:
    (folder / "net.py").write_text(MODEL)
    init(model="net.py", source="wandb.yaml", output="ours.yaml", data="digits")
    assert "\ntrainable: ./net.py:Net\n" in (folder / "ours.yaml").read_text()
    assert "\ndata: digits\n" in (folder / "ours.yaml").read_text()


def test_nothing_is_overwritten_and_something_must_be_named(folder: Path) -> None:
    with pytest.raises(UsageError, match=r"^wandb\.yaml: is there already; name another file with --output$"):
        init(source="wandb.yaml", output="wandb.yaml")
    with pytest.raises(UsageError, match="needs MODEL, a Python file, or --from FILE"):
        init()
