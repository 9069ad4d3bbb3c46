"""Real models in MLflow: a process without this project loads them, and predicts what the trained ones predict."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.simulation import make_spec
from tuner.inspection import load_trainable
from tuner.inspection.provenance import copied_files, starting
from tuner.recording import read_cursor, record
from tuner.spec import dump_yaml
from tuner.storage import StorageRoot, SweepFolder
from tuner.storage.journal import create_sweep
from tuner.sweep import events as ev

pytestmark = [pytest.mark.slow(40), pytest.mark.filterwarnings("ignore")]

HERE = Path(__file__).parent
TRAINABLE = f"{HERE / 'kinds.py'}:Kinds"
KINDS = ("plain", "custom", "lambda")


def trained(folder: SweepFolder, trial: int, kind: str) -> tuple[list[ev.AnyEvent], Any]:
    """A trial of one epoch, whose weights are in its checkpoint; and its model."""
    from trainables.training import make_trainer

    params = {"learning_rate": 0.02, "batch_size": 16, "epochs": 1, "kind": kind}
    trainable = load_trainable(TRAINABLE)()  # type: ignore[operator]
    trainer = make_trainer(trainable, trainable.load_data(), "val_accuracy", "max", "float32")
    trainer.start(params, trial)
    metrics = trainer.train_epoch().metrics
    name = folder.checkpoint(trial, 1, 1, "best")
    path = Path(folder.url) / name
    path.parent.mkdir(parents=True)
    path.write_bytes(trainer.best_snapshot().to_bytes())
    return [
        ev.TrialSuggested(trial=trial, params=params, origin="random"),
        ev.TrialStarted(trial=trial, attempt=1, node="n", pid=1, gpus=[]),
        ev.EpochReported(trial=trial, attempt=1, epoch=1, epoch_s=1.0, decision="continue", reason="", metrics=metrics),
        ev.CheckpointSaved(trial=trial, epoch=1, path=name, best_epoch=1, kind="best"),
        ev.TrialEnded(trial=trial, outcome="completed", reason=""),
    ], trainer.best_model()


def load_alone(folder: SweepFolder, target: Path) -> dict[str, Any]:
    experiment = read_cursor(folder).experiment_id
    arguments = [folder.root.default_tracking_uri, experiment, str(target)]
    command = [sys.executable, "-I", str(HERE / "load_alone.py"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=target.parent)
    assert done.returncode == 0, done.stderr
    return dict(np.load(target))


def test_a_process_without_this_project_predicts_what_was_trained(empty_database: Path, tmp_path: Path) -> None:
    root = tmp_path / "sweeps"
    root.mkdir()
    shutil.copy(empty_database, root / "mlflow.db")
    space = {"learning_rate": 0.02, "batch_size": 16, "kind": {"choices": [*KINDS]}}
    spec = make_spec(trainable=TRAINABLE, space=space, epochs={"max": 1}, tracking__log_models="kept")
    begins = starting(spec.trainable, lambda text: None)
    assert begins.new is not None
    started = ev.SweepStarted(
        spec=spec.resolved(), versions={}, seed=3, sweep_id="0" * 32, code=begins.manifest, work_folder=str(tmp_path)
    )
    folder = StorageRoot(root).sweep("test")
    journal = create_sweep(folder, dump_yaml(spec.resolved()), started, files=copied_files(begins.new))
    models = []
    for trial, kind in enumerate(KINDS):
        events, model = trained(folder, trial, kind)
        journal.append(*events)
        models.append(model)
    journal.append(ev.SweepEnded(reason="all trials ended"))
    journal.close()

    told: list[str] = []
    record(folder, tell_news=told.append)
    needs, without = sorted(told)
    own = "kinds.Registered, kinds.Scaled, kinds.Unregistered, kinds.doubled"
    assert f"trial 1 in MLflow needs your own code to load: {own}" in needs
    assert "trial 2 is not logged to MLflow: Keras loads no Lambda layer" in without

    found = load_alone(folder, tmp_path / "predicted.npz")
    assert {"keras", "by run", "pyfunc-0", "pyfunc-1"} <= found.keys() and "pyfunc-2" not in found
    assert list(found["texts-0"].ravel()) == ["good film", "bad plot"]
    example = {"numbers": found["numbers-0"].astype(np.float32), "texts": found["texts-0"].astype(object)}
    for trial, model in enumerate(models[:2]):
        assert np.array_equal(found[f"pyfunc-{trial}"], model.predict(example, verbose=0))
    assert np.array_equal(found["keras"], found["pyfunc-0"]) and np.array_equal(found["by run"], found["pyfunc-0"])


def test_why_a_model_cannot_be_saved_is_told_in_whole_sentences(tmp_path: Path) -> None:
    import keras

    from trainables.training.saving import NotSavedError, save_model

    class Own(keras.Model):
        def __init__(self, units: object) -> None:
            super().__init__()
            self.dense = keras.layers.Dense(2)

        def call(self, x: Any) -> Any:
            return self.dense(x)

    model = Own(object())
    model(np.zeros((1, 2), np.float32))
    with pytest.raises(NotSavedError, match=r"Own was created by passing .* must override `get_config\(\)`"):
        save_model(model, __name__, tmp_path)


@pytest.mark.parametrize("has_own_loss", [False, True])
def test_a_compiled_model_of_own_layers_keeps_a_loss_of_keras(has_own_loss: bool, tmp_path: Path) -> None:
    import keras

    from tests.recording.models import kinds
    from trainables.training.saving import save_model

    model = keras.Sequential([keras.Input((2,)), kinds.Unregistered(), keras.layers.Dense(2)])
    model.compile("sgd", kinds.loss if has_own_loss else "mse")
    save_model(model, kinds.__name__, tmp_path)
    described = json.loads((tmp_path / "model.json").read_text())
    assert described["objects"] == {"Unregistered": [kinds.__name__, "Unregistered"]}
    with keras.saving.custom_object_scope({"Unregistered": kinds.Unregistered}):
        assert keras.saving.load_model(tmp_path / "model.keras").compiled != has_own_loss


def test_a_layer_that_no_file_has_is_named(tmp_path: Path) -> None:
    import keras

    from tests.recording.models import kinds
    from trainables.training.saving import NotSavedError, save_model

    class Own(keras.layers.Layer):
        def call(self, x: Any) -> Any:
            return x

    for layers in ([Own()], [Own(), kinds.Unregistered()]):
        model = keras.Sequential([keras.Input((2,)), *layers])
        with pytest.raises(NotSavedError, match="cannot import Own; define it at the top level of a file"):
            save_model(model, __name__, tmp_path)


def test_outputs_have_types_that_a_process_without_tensorflow_knows() -> None:
    from keras import ops

    from trainables.training.example import _specs

    assert _specs(np.asarray(ops.zeros((2, 3), "bfloat16")), {}) == [[None, "float32", [-1, 3]]]


def test_packages_are_pinned_to_versions_that_can_be_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    from trainables.training import saving

    monkeypatch.setattr(saving, "version", lambda name: "2.17.0+nv24.10")
    assert saving._version("tensorflow") == "tensorflow==2.17.0"
