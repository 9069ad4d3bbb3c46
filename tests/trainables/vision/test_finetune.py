"""Fine-tuning of a base that was pretrained on Fashion-MNIST: better than from scratch, and as good as by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.trainables.vision.recipes import HEAD_EPOCHS, TRIAL, by_hand, from_scratch, new_trainer, trained, write

pytestmark = [pytest.mark.slow(40), pytest.mark.filterwarnings("ignore::DeprecationWarning")]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    write(folder, 200)
    return folder


@pytest.fixture
def trainer(files: Path) -> Any:
    return new_trainer(files)


def test_it_beats_a_training_from_scratch_and_is_as_good_as_by_hand(files: Path, trainer: Any) -> None:
    seeds = range(2)
    tuned = [trained(trainer, seed, head_factor=0.2) for seed in seeds]
    assert trainer.traces == 3, "one of each phase, and of the validation"
    scratch = [from_scratch(trainer, seed) for seed in seeds]
    hand = [by_hand(files, seed) for seed in seeds]
    assert np.mean(tuned) > np.mean(scratch) + 0.03
    assert np.mean(tuned) == pytest.approx(np.mean(hand), abs=0.12)


def test_the_same_trial_twice_and_after_a_break(files: Path, trainer: Any) -> None:
    changes = {"flip": 0.5, "rotation": 0.1, "zoom": 0.2, "contrast": 0.3, "dropout": 0.2, "layer_decay": 0.5}
    trained(trainer, 1, HEAD_EPOCHS + 1, **changes)
    whole = trainer.snapshot()
    again = new_trainer(files)
    trained(again, 1, HEAD_EPOCHS, **changes)
    broken = again.snapshot().to_bytes()
    again.train_epoch()
    assert all(map(np.array_equal, whole.values, again.snapshot().values)), "in another trainer"
    traces = trainer.traces
    numbers = {"rotation": 0.2, "layer_decay": 0.9, "head_epochs": 1, "base_learning_rate": 0.1, "batch_size": 8}
    trained(trainer, 2, 2, **{**changes, **numbers})
    trainer.start({**TRIAL, "base": trainer._trainable.base.name, **changes}, 1, broken)
    trainer.train_epoch()
    assert trainer.traces == traces, "no number retraces"
    assert all(map(np.array_equal, whole.values, trainer.snapshot().values)), "after a break between phases"
    restored = trainer.best_model()
    assert [layer.name for layer in restored.layers][-1] == "head"


def test_images_are_given_to_each_base_as_keras_does(tmp_path: Path) -> None:
    import keras

    from trainables.vision import applications

    trainable = image_folder(tmp_path)
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 36, 36, 3)).astype("float32")
    for name in ("ResNet50", "MobileNetV2", "DenseNet121", "EfficientNetB0"):
        inputs = keras.Input((36, 36, 3))
        kind = applications.PREPROCESSING[name]
        model = keras.Model(inputs, trainable._preprocessed(inputs, kind, "auto") * 1.0)
        module = {"ResNet50": "resnet", "MobileNetV2": "mobilenet_v2", "DenseNet121": "densenet"}
        own = getattr(keras.applications, module.get(name, "efficientnet"))
        assert np.allclose(model(pixels), own.preprocess_input(pixels.copy()), atol=1e-3), name
    known = {name for name in dir(keras.applications) if name[0].isupper()}
    assert known == set(applications.PREPROCESSING)


def image_folder(tmp_path: Path) -> Any:
    """A `finetune-image` of a model of keras.applications, on a folder of coloured images."""
    import keras

    from trainables.finetune_image import FinetuneImage

    for name in ("cats", "dogs"):
        (tmp_path / name).mkdir()
        for number in range(6):
            keras.utils.save_img(tmp_path / name / f"{number}.png", np.full((20, 30, 3), 20 * number))
    trainable = FinetuneImage(str(tmp_path))
    trainable.fixed_params = {"base": "MobileNetV2", "weights": "none", "image_size": 36}
    trainable.load_data()
    return trainable


def test_a_folder_and_a_model_of_keras_applications(tmp_path: Path) -> None:
    trainable = image_folder(tmp_path)
    params = trainable.Params(base="MobileNetV2", weights="none", image_size=36, unfreeze_from=2, layer_decay=0.5)
    model = trainable.build_model(params)
    assert model.input_shape == (None, 36, 36, 3) and model.output_shape == (None, 2)
    head, both = trainable.phases(params, model)
    rates = {layer.name: factor for layer, factor in both.rates.items()}
    assert head.epochs == 2 and list(head.rates.values()) == [0.0]
    factor = params.base_learning_rate / params.learning_rate
    expected = {
        "Conv_1_bn": factor,
        "Conv_1": factor,
        "block_16_project_BN": factor / 2,
        "block_16_project": factor / 2,
    }
    assert rates == pytest.approx({"base": 0.0, **expected, "head": 1.0})
