"""Models written for KerasTuner, unchanged: the space that is found, values as KerasTuner gives them, and training."""

from __future__ import annotations

import importlib.machinery
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainables import registry
from trainables.kerastuner.hyperparameters import HyperParameters
from tuner.spec.space import Space

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:__array__ implementation")]  # Keras's own
HERE = Path(__file__).parent
MODELS = {
    "dense": "build_model",
    "cnn": "ConvModel",
    "own_fit": "TunesFit",
    "kinds": "Kinds",
    "two_inputs": "hypermodel",
    "own_loop": "OwnLoop",
}
FOUND = {
    "dense": "num_layers units_0 activation dropout lr units_1 units_2",
    "cnn": "blocks block_0_filters pooling block_1_filters block_0_pooling",
    "own_fit": "units normalize batch_size shuffle",
    "kinds": "kind depth activation units width learning_rate optimizer momentum",
    "two_inputs": "left_units left_norm right_units right_norm rate",
    "own_loop": "units batch_size learning_rate",
}


def adopted(name: str) -> Any:
    return registry.load_file(HERE / f"{name}.py", MODELS[name])


def instance(name: str) -> Any:
    return adopted(name)(None if name in ("cnn", "two_inputs") else "digits")


@pytest.fixture(scope="module")
def spaces() -> dict[str, Any]:
    return {name: instance(name).found_space(instance(name).load_data()) for name in MODELS}


def test_the_spaces_are_found(spaces: dict[str, Any]) -> None:
    for name, found in spaces.items():
        Space.model_validate(found.parameters)
        if name != "cnn":
            assert set(found.parameters) == set(FOUND[name].split()), name
        assert found.notes == []
    cnn = spaces["cnn"].parameters
    assert cnn["block_1_filters"] == {"low": 4, "high": 8, "step": 2, "when": {"blocks": 2}}
    assert cnn["dropout_rate"]["when"] == {"dropout": True} and spaces["cnn"].defaults["dropout_rate"] == 0.3
    kinds = spaces["kinds"].parameters
    assert kinds["depth"] == {"low": 1, "high": 2, "when": {"kind": ["mlp", "residual"]}}
    assert kinds["width"] == {"choices": [8, 16, 32, 64], "when": {"kind": "residual"}}
    assert kinds["momentum"] == {"low": 0.0, "high": 0.9, "when": {"optimizer": "sgd"}}
    assert spaces["two_inputs"].parameters["rate"] == 0.01


@pytest.mark.parametrize("name", ["dense", "cnn", "kinds", "two_inputs"])
def test_a_configuration_is_the_same_as_with_keras_tuners_own_hp(name: str, spaces: dict[str, Any]) -> None:
    import keras
    import keras_tuner

    found = spaces[name]
    space, rng, trainable = Space.model_validate(found.parameters), np.random.default_rng(0), instance(name)
    for _ in range(4):
        params = space.sample(rng)
        theirs, ours = keras_tuner.HyperParameters(), HyperParameters(params)
        theirs.values = {found.originals[key]: value for key, value in params.items()}
        models = []
        for hp in (theirs, ours):
            keras.utils.clear_session()
            hypermodel = trainable._hypermodel
            models.append(hypermodel(hp) if callable(hypermodel) else hypermodel.build(hp))
        assert ours.values == theirs.values and ours.defaulted == []
        assert {key: type(value) for key, value in ours.values.items()} == {
            key: type(value) for key, value in theirs.values.items()
        }
        assert [one.name for one in ours.space] == [one.name for one in theirs.space]
        configs = [(model.get_config(), model.get_compile_config()) for model in models]
        assert configs[0] == configs[1]


@pytest.mark.parametrize("kind", ["Int", "Float"])
@pytest.mark.parametrize("sampling", ["linear", "log", "reverse_log"])
def test_values_of_steps_are_keras_tuners(kind: str, sampling: str) -> None:
    import keras_tuner

    for low, high, step in ((1, 9, 2), (2, 40, 3), (4, 5, 2), (1, 1000, 10)):
        theirs, ours = keras_tuner.HyperParameters(), HyperParameters()
        for hp in (theirs, ours):
            getattr(hp, kind)("x", low, high, step=step, sampling=sampling)
        (one,), (other,) = ours.space, theirs.space
        values = [int(value) if kind == "Int" else value for value in other.values]
        assert [one.value_at(index) for index in range(one.num_values or 0)] == pytest.approx(values)
        assert one.default == other.default


@pytest.mark.parametrize("name", list(MODELS))
def test_a_trial_trains_and_goes_on_from_its_checkpoint(name: str, spaces: dict[str, Any]) -> None:
    from trainables.training import make_trainer

    trainable = instance(name)
    data, found = trainable.load_data(), spaces[name]
    params: dict[str, Any] = Space.model_validate(found.parameters).from_units({})
    is_loop = name == "own_loop"
    metric = {"own_loop": "my_metric", "two_inputs": "val_loss"}.get(name, "val_accuracy")
    params["epochs"] = num_epochs = 1 if is_loop else 3

    def train(checkpoint: bytes | None, until: int) -> tuple[Any, list[dict[str, float]]]:
        trainer = make_trainer(trainable, data, metric, "min" if name in ("own_loop", "two_inputs") else "max")
        trainer.start(dict(params), 3, checkpoint)
        seen = []
        while trainer.epoch < until:
            seen.append({key: value for key, value in trainer.train_epoch().metrics.items() if key != "epoch_s"})
        return trainer, seen

    trainer, whole = train(None, num_epochs)
    assert trainer.path == "fit" and metric in whole[-1] and trainer.best_epoch
    if is_loop:
        assert "default_objective" in whole[0]
        with pytest.raises(ValueError, match="a loop of its own"):
            trainer.train_epoch()
        return
    half, first = train(None, 1)
    _, rest = train(half.snapshot().to_bytes(), num_epochs)
    for ours, expected in zip([*first, *rest], whole, strict=True):
        assert ours == pytest.approx(expected, rel=1e-4)


def test_without_keras_tuner_a_stand_in_is_imported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    find_spec = importlib.machinery.PathFinder.find_spec
    for name in [name for name in sys.modules if name.partition(".")[0] in ("keras_tuner", "kerastuner")]:
        monkeypatch.delitem(sys.modules, name)

    def hidden(fullname: str, path: Any = None, target: Any = None) -> Any:
        return None if fullname.startswith(("keras_tuner", "kerastuner")) else find_spec(fullname, path, target)

    monkeypatch.setattr(importlib.machinery.PathFinder, "find_spec", hidden)
    file = tmp_path / "model.py"
    text = (HERE / "kinds.py").read_text()
    file.write_text(
        text + "\nfrom kerastuner.engine.hypermodel import HyperModel\n\n\nassert HyperModel is kt.HyperModel\n"
    )
    before = set(sys.modules)
    try:
        trainable = registry.load_file(file, "Kinds")
        assert trainable("digits").found_space().parameters["kind"] == {"choices": ["linear", "mlp", "residual"]}
        stand_in = sys.modules["keras_tuner"]
        for use in (
            lambda: stand_in.RandomSearch("x", max_trials=3),
            lambda: type("Mine", (stand_in.Tuner,), {}),
            lambda: stand_in.oracles.BayesianOptimizationOracle(),
        ):
            with pytest.raises(ImportError, match="needs KerasTuner, which is not installed"):
                use()
    finally:
        for name in set(sys.modules) - before:
            if name.partition(".")[0] in ("keras_tuner", "kerastuner"):
                del sys.modules[name]


def test_init_writes_a_spec_with_the_space(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from tuner.base.errors import UsageError
    from tuner.cli.init_command import init
    from tuner.spec import load_spec

    (tmp_path / "cnn.py").write_text((HERE / "cnn.py").read_text())
    target = tmp_path / "cnn.yaml"
    init(str(tmp_path / "cnn.py"), None, str(target))
    spec = load_spec(target)
    assert (spec.trainable, spec.objective.metric) == (f"{tmp_path}/cnn.py:ConvModel", "val_accuracy")
    assert spec.space["block_1_filters"].when == {"blocks": 2}
    assert "  # default of 'block-1/filters': 4\n  block_1_filters: {low: 4, high: 8, step: 2" in target.read_text()
    with pytest.raises(UsageError, match="is there already"):
        init(str(tmp_path / "cnn.py"), None, str(target))
    with pytest.raises(UsageError, match="known: ConvModel"):
        init(f"{tmp_path}/cnn.py:Other", None, str(tmp_path / "other.yaml"))


def test_a_model_and_arrays_are_a_sweep_without_a_space(ray_address: str, tmp_path: Path) -> None:
    import tuner
    from trainables import data

    registry.load_file(HERE / "own_fit.py", "TunesFit")
    model = instance("own_fit")._hypermodel
    x, y = data.digits().train[:2]
    sweep = tuner.run(
        model, data=(x[:200], y[:200]), objective="val_accuracy", name="adopted", num_trials=3, epochs=2,
        space={"units": tuner.Int(8, 16, step=8)}, storage=tmp_path, progress=False,
        address=ray_address, resources={"cpus_per_trial": 2},
    )  # fmt: skip
    assert set(sweep.best.params) >= {"units", "normalize", "batch_size", "shuffle"}
    assert len(sweep.trials()) == 3 and sweep.best_model().count_params() in (610, 1210)
