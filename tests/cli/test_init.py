"""tuner init: what it writes, what it says, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.test_commands import tuner
from trainables import registry
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
        raise AssertionError("nothing here builds a model")
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wandb.yaml").write_text(WANDB)
    return tmp_path


@pytest.mark.parametrize(
    "given",
    [["--batch-size", "32"], ["--optimizer", "adam"], ["--noise-scale"], ["--seconds", "9"], ["--storage", "root"]],
)
def test_options_of_a_probe_need_one(given: list[str], folder: Path) -> None:
    errors = tuner("init", "digits", *given, exit_code=2).stderr
    assert errors.startswith(f"init: {given[0]} says") and errors.endswith("so it has no effect without --probe\n")
    assert not (folder / "digits.yaml").exists()


def test_options_of_a_probe_are_read_as_by_probe(folder: Path) -> None:
    errors = tuner("init", "digits", "--probe", "--optimizer", "lionn", exit_code=2).stderr
    assert "--optimizer: must be one of" in errors and "did you mean lion?" in errors
    assert "--seconds: must be at least 5" in tuner("init", "digits", "--probe", "--seconds", "1", exit_code=2).stderr


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
    with pytest.raises(
        UsageError, match="needs MODEL, a Python file or a trainable that comes with Tuner, or --from FILE"
    ):
        init()


def test_a_trainable_that_comes_with_tuner_gives_its_default_sweep(folder: Path) -> None:
    for name in registry.names():
        init(model=name)
        assert (folder / f"{name}.yaml").read_text() == registry.default_sweep(name).read_text()
    with pytest.raises(UsageError, match=r"^digits\.yaml: is there already; name another file with --output$"):
        init(model="digits")
    init(model="mlp", data="mnist", output="of-mnist.yaml")
    assert load_spec("of-mnist.yaml").data == "mnist"
    with pytest.raises(
        UsageError, match=r"^data: mnist-dense has data of its own, so must be left out, but got 'mnist'"
    ):
        init(model="mnist-dense", data="mnist", output="other.yaml")
    with pytest.raises(UsageError, match="did you mean digits"):
        init(model="digit")
    assert not (folder / "digit.yaml").exists()


def test_a_class_searches_learning_rate_and_batch_size_and_shows_its_own_parameters(folder: Path) -> None:
    (folder / "net.py").write_text(MODEL)
    init(model="net.py", output="ours.yaml")
    spec = load_spec("ours.yaml")
    assert (spec.name, spec.objective.metric, spec.objective.mode, spec.epochs.max) == ("net", "val_loss", "min", 10)
    assert list(spec.space) == ["learning_rate", "batch_size", "units"] and list(spec.space.searched) == [
        "learning_rate",
        "batch_size",
    ]
    (folder / "sharp.py").write_text(
        MODEL.replace('"mse"', '"mse"\n    metrics = ("accuracy",)').replace(
            "float = 64.0", "int = 8\n        epochs: int = 3"
        )
    )
    init(model="sharp.py", output="sharp.yaml")
    spec = load_spec("sharp.yaml")
    assert (spec.objective.metric, spec.objective.mode, spec.epochs.max) == ("val_accuracy", "max", 3)
