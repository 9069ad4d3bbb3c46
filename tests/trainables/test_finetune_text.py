"""`finetune-text` in one process: what is trained, on which words, and what is exported."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainables import DataError, registry
from trainables.learned import load_and_learn, teach

pytestmark = [pytest.mark.slow(20), pytest.mark.filterwarnings("ignore::DeprecationWarning")]

TEXTS = ("the food was good", "to my surprise the soup was not good", "", "words that nobody has ever seen")
OWN = {"learning_rate": 0.003, "sequence_length": 24, "width": 16, "layers": 1, "heads": 2}


def made(fixed: dict[str, Any], data: str = "sentences") -> tuple[Any, Any]:
    """The trainable with what another process has learned, and the data."""
    first, trainable = (registry.load("finetune-text")(data) for _ in range(2))
    first.fixed_params = trainable.fixed_params = fixed
    loaded, learned = load_and_learn(first)
    assert not learned.left_out
    teach(trainable, learned, loaded)
    return trainable, loaded


def trained(trainable: Any, data: Any, params: dict[str, Any], epochs: int) -> tuple[Any, list[dict[str, float]]]:
    from trainables.training import WarmTrainer

    trainer = WarmTrainer(trainable, data, "val_accuracy", "max")
    trainer.start(params, 3)
    return trainer, [{**trainer.train_epoch().metrics, "epoch_s": 0.0} for _ in range(epochs)]


def exported(trainable: Any, trainer: Any, params: dict[str, Any], path: Path) -> Any:
    """The model as Keras alone loads it."""
    import keras

    trainable.exported(trainer.best_model(), trainable.Params(**params)).save(path)
    return keras.saving.load_model(path)


def probabilities(model: Any) -> Any:
    import tensorflow as tf

    return model(tf.constant(TEXTS)).numpy()


def test_an_encoder_of_its_own(tmp_path: Path) -> None:
    """The same trial twice is bit for bit; padding changes nothing; numbers retrace nothing; the export takes texts."""
    trainable, data = made({"sequence_length": 24})
    trainer, epochs = trained(trainable, data, OWN, 8)
    assert epochs[-1]["val_accuracy"] > 0.7
    again, same = trained(trainable, data, OWN, 2)
    assert same == epochs[:2]
    again.start({**OWN, "learning_rate": 0.01, "batch_size": 64, "epochs": 3}, 4)
    again.train_epoch()
    assert again.traces == 2

    x = data.validation[0][:8]
    longer = np.pad(x, ((0, 0), (0, 24 - x.shape[1])))
    model = trainer.best_model()
    np.testing.assert_allclose(model(x), model(longer), atol=1e-6)
    loaded = exported(trainable, trainer, OWN, tmp_path / "own.keras")
    numbers = trainable.words.numbers(np.array(TEXTS, object), 24)
    np.testing.assert_allclose(probabilities(loaded), model(numbers), atol=1e-6)

    fewer = {**OWN, "vocabulary_size": 12, "sequence_length": 5}
    trainer, _ = trained(trainable, data, fewer, 1)
    assert trainer.model.count_params() < model.count_params()
    assert np.isfinite(probabilities(exported(trainable, trainer, fewer, tmp_path / "fewer.keras"))).all()

    with pytest.raises(DataError, match="lora_rank has no effect without base; leave it out"):
        trainable.select_data(data, trainable.Params(lora_rank=2))


def words_of(model: Any) -> Any:
    """The words' vectors, without what adapts them."""
    [found] = [variable.numpy() for variable in model.variables if variable.path.endswith("words/embeddings")]
    return found


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier of texts as `tuner export` writes one."""
    path = tmp_path_factory.mktemp("base") / "base.keras"
    trainable, data = made({"sequence_length": 24})
    trainer, _ = trained(trainable, data, OWN, 8)
    exported(trainable, trainer, OWN, path)
    return path


@pytest.mark.parametrize("how", [{"lora_rank": 2}, {"freeze_base": True}, {"lora_rank": 0}], ids=str)
def test_a_base_is_adapted_frozen_or_trained(base: Path, tmp_path: Path, how: dict[str, Any]) -> None:
    trainable, data = made({"base": str(base)})
    params = {"base": str(base), "learning_rate": 0.003, **how}
    trainer, epochs = trained(trainable, data, params, 2)
    assert epochs[0]["val_accuracy"] > 0.7  # it begins where the base ended
    changed = (words_of(trainer.model) != words_of(trainable.base.model())).any()
    assert changed == (how == {"lora_rank": 0})
    names = [variable.name for variable in trainer.model.trainable_variables]
    if how == {"lora_rank": 2}:
        assert all("lora_" in name for name in names[:-2]) and len(names) > 6
    elif "freeze_base" in how:
        assert len(names) == 2
    loaded = exported(trainable, trainer, params, tmp_path / "tuned.keras")
    assert not any(getattr(layer, "lora_enabled", False) for layer in loaded._flatten_layers())
    numbers = trainable.words.numbers(np.array(TEXTS, object), 24)
    np.testing.assert_allclose(probabilities(loaded), trainer.best_model()(numbers), atol=1e-6)
    if how == {"lora_rank": 2}:
        assert trained(trainable, data, params, 2)[1] == epochs  # what is adapted begins by the trial's seed


@pytest.mark.parametrize("how", [{"lora_rank": 2}, {}], ids=str)
def test_the_head_is_trained_first_and_the_base_at_a_rate_of_its_own(base: Path, how: dict[str, Any]) -> None:
    trainable, data = made({"base": str(base)})
    params = {"base": str(base), "learning_rate": 0.003, "head_epochs": 1, "base_learning_rate": 1e-4, **how}
    from trainables.training import WarmTrainer

    trainer = WarmTrainer(trainable, data, "val_accuracy", "max")
    trainer.start(params, 3)

    def values() -> dict[str, Any]:
        return {v.path: v.numpy() for v in trainer.model.variables if "seed" not in v.path}

    found = [values()]
    for _ in range(2):
        trainer.train_epoch()
        found.append(values())
    moved = [{p for p in before if (before[p] != after[p]).any()} for before, after in itertools.pairwise(found)]
    assert {path.split("/")[-2] for path in moved[0]} == {"classes"}
    of_base = moved[1] - moved[0]
    assert of_base and all("lora_" in path for path in of_base) == bool(how)
    traces = trainer.traces
    trainer.start({**params, "base_learning_rate": 1e-3}, 3)
    trainer.train_epoch()
    assert trainer.traces == traces


def test_a_base_of_numbers_of_words_needs_their_words(tmp_path: Path) -> None:
    import keras

    numbers = keras.Input((6,), dtype="int32")
    vectors = keras.layers.Embedding(20, 4)(numbers)
    path, words = tmp_path / "numbers.keras", tmp_path / "words.txt"
    keras.Model(numbers, vectors).save(path)
    words.write_text("\n".join(["", "[UNK]", "the", "was", "good", "bad", "not"]))
    with pytest.raises(DataError, match="name a file with a word a line"):
        made({"base": str(path)})
    fixed = {"base": str(path), "vocabulary": str(words)}
    trainable, data = made(fixed)
    assert trainable.select_data(data, trainable.Params(**fixed)).train[0].shape == (800, 6)
    with pytest.raises(DataError, match="sequence_length must be at most 6, for which the base is made, but got 9"):
        trainable.select_data(data, trainable.Params(**fixed, sequence_length=9))
    with pytest.raises(DataError, match="width has no effect with base, which has its own"):
        trainable.select_data(data, trainable.Params(**fixed, width=9))
    trainer, _ = trained(trainable, data, fixed, 1)
    assert probabilities(exported(trainable, trainer, fixed, tmp_path / "tuned.keras")).shape == (4, 2)
    frozen = {**fixed, "freeze_base": True}
    trainable, data = made(frozen)
    with pytest.raises(DataError, match="lora_rank has no effect with freeze_base: true; leave one of them out"):
        trainable.select_data(data, trainable.Params(**frozen, lora_rank=2))
    assert trainable.select_data(data, trainable.Params(**frozen, lora_rank=0)).train[0].shape == (800, 6)


def test_what_is_no_base(tmp_path: Path) -> None:
    import keras

    (tmp_path / "none.keras").write_bytes(b"no model")
    with pytest.raises(DataError, match=r"base .*none.keras must be a .keras file that Keras can load alone, but"):
        made({"base": str(tmp_path / "none.keras")})
    with pytest.raises(DataError, match=r"base .*gone.keras cannot be read: No such file"):
        made({"base": str(tmp_path / "gone.keras")})
    keras.Sequential([keras.Input((8, 8)), keras.layers.Flatten()]).save(tmp_path / "image.keras")
    with pytest.raises(DataError, match=r"must take texts by a TextVectorization layer.*float32 of shape"):
        made({"base": str(tmp_path / "image.keras")})
    with pytest.raises(DataError, match="vocabulary has no effect without base"):
        made({"vocabulary": "words.txt"})
