"""The best model of a sweep: its weights are those of the best epoch, its mistakes are one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.forks import run_forked
from tests.simulation import make_spec, new_sweep
from tuner.base.errors import StorageError, UsageError
from tuner.review.best import best_model, export_model
from tuner.storage import SweepFolder
from tuner.sweep import events as ev

MODELS = Path(__file__).parents[1] / "trainables" / "models.py"
GONE = "checkpoints/000001/best-000003-attempt-001-7.npz"
PARAMS = {"learning_rate": 0.02, "batch_size": 32, "epochs": 3, "units": 5}


def ended(trial: int, values: list[float], path: str, best_epoch: int) -> list[ev.AnyEvent]:
    """A trial from its suggestion to its end; without a path its weights were not kept."""
    epochs = [
        ev.EpochReported(
            trial=trial, attempt=1, epoch=epoch, epoch_s=1.0, decision="continue", reason="",
            metrics={"loss": 1.0, "val_loss": 1.0, "val_accuracy": value},
        )
        for epoch, value in enumerate(values, 1)
    ]  # fmt: skip
    saved = [ev.CheckpointSaved(trial=trial, epoch=len(values), path=path, best_epoch=best_epoch, kind="best")]
    return [
        ev.TrialSuggested(trial=trial, params=PARAMS, origin="random"),
        ev.TrialStarted(trial=trial, attempt=1, node="n", pid=1, gpus=[]),
        *epochs,
        *(saved if path else []),
        ev.TrialEnded(trial=trial, outcome="completed", reason=""),
    ]


def sweep_of(tmp_path: Path, name: str, *trials: list[ev.AnyEvent], **changes: Any) -> None:
    spec = make_spec(trainable=f"{MODELS}:{name}", space={**PARAMS}, epochs={"max": 3}, **changes)
    journal = new_sweep(tmp_path, spec)
    journal.append(*(event for trial in trials for event in trial))
    journal.close()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    ("name", "precision"), [("Small", "float32"), ("Custom", "float32"), ("Small", "mixed_bfloat16")]
)
def test_the_best_model_is_that_of_the_best_epoch(
    tmp_path: Path, name: str, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import keras

    from trainables import registry
    from trainables.training import WarmTrainer

    trainable = registry.load_file(MODELS, name)()
    data = trainable.load_data()
    trainer = WarmTrainer(trainable, data, "val_accuracy", "max", precision)
    trainer.start(PARAMS, 1)
    values = [trainer.train_epoch().metrics["val_accuracy"] for _ in range(3)]
    keras.config.set_dtype_policy("float32")
    path = SweepFolder(tmp_path / "test").checkpoint(0, 1, 3, "best")
    sweep_of(tmp_path, name, ended(0, values, path, trainer.best_epoch), precision=precision)
    (tmp_path / "test" / path).parent.mkdir(parents=True)
    (tmp_path / "test" / path).write_bytes(trainer.best_snapshot().to_bytes())

    model = best_model("test", storage=str(tmp_path))
    guessed = np.asarray(model(data.test[0])).argmax(1)
    assert np.mean(guessed == data.test[1]) == pytest.approx(trainer.test_metrics()["test_accuracy"], abs=0.02)
    for found, wanted in zip(model.variables, trainer.best_model().variables, strict=True):
        assert np.array_equal(found.numpy(), wanted.numpy())
    assert keras.config.dtype_policy().name == "float32" and not model.compiled

    if name == "Custom":  # which has no `get_config`, but an argument
        export_model("test", tmp_path / "best.keras", storage=str(tmp_path))
        own = {type(part).__name__: type(part) for part in (model, model.noise)}
        loaded = keras.saving.load_model(tmp_path / "best.keras", own)
        assert np.array_equal(loaded(data.test[0]), model(data.test[0]))

        def refuse(model: Any, file: Path) -> None:
            raise NotImplementedError("\nObject CustomStep was created by passing\nan object.\n\nExample:\n")

        monkeypatch.setattr(keras.Model, "save", refuse)
        says = (
            r"cannot be saved as a Keras file: Object CustomStep was created by passing an object\.; tuner.best_model"
        )
        with pytest.raises(UsageError, match=says):
            export_model("test", tmp_path / "other.keras", storage=str(tmp_path))
        assert not (tmp_path / "other.keras").exists()
    else:
        assert export_model("test", tmp_path / "best.keras", storage=str(tmp_path)).number == 0
        loads = f"import keras; print(keras.saving.load_model({str(tmp_path / 'best.keras')!r}).count_params())"
        (tmp_path / "alone.py").write_text(f"{loads}\nimport sys\nassert 'trainables' not in sys.modules")
        assert int(run_forked(tmp_path / "alone.py")) == model.count_params()
        loaded = keras.saving.load_model(tmp_path / "best.keras")
        assert np.array_equal(loaded(data.test[0]), model(data.test[0]))


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    sweep_of(tmp_path, "Small", ended(0, [0.3], "", 1), ended(1, [0.5], GONE, 1))
    for trial, kind, told in (
        (None, StorageError, f"{GONE}: the weights of trial 1 are gone"),
        (0, UsageError, "sweep test keeps no weights of trial 0, only of trials 1"),
        (7, UsageError, "sweep test has no trial 7: it has 2, from 0"),
    ):
        with pytest.raises(kind, match=told):
            best_model("test", trial, str(tmp_path))
    with pytest.raises(UsageError, match="no sweep 'tesst'"):
        best_model("tesst", storage=str(tmp_path))
