"""Trains families and stores their learning curves: `python -m tests.benchmarks.search.train_curves NAME…`.

`curves/NAME.npz` holds the configurations as JSON and, for each, the validation loss and, where there are classes, the
validation accuracy after every epoch; NaN from a divergence on. MNIST comes from $TUNER_DATA_DIR or Keras's download,
Fashion-MNIST from Debian's dataset-fashion-mnist.
"""

from __future__ import annotations

import json
import math
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import qmc

from tests.benchmarks.search.families import EPOCHS, FAMILIES, NUM_CONFIGURATIONS
from tuner.spec.space import Params, Space, key

CURVES = Path(__file__).with_name("curves")


def configurations(space: Space, count: int) -> list[Params]:
    """Different points spread over the space (scrambled Sobol), those of one architecture side by side."""
    searched = space.searched
    sampler = qmc.Sobol(len(searched), scramble=True, rng=np.random.default_rng(0))
    found: dict[Any, Params] = {}
    while len(found) < count:
        for point in sampler.random(256):
            params = space.from_units(dict(zip(searched, point, strict=True)))
            found.setdefault(key(params), params)
    architecture = ("depth", "units", "dropout", "activation", "optimizer")
    return sorted(list(found.values())[:count], key=lambda params: [str(params.get(name)) for name in architecture])


def train(name: str) -> None:
    from trainables.training import WarmTrainer

    made, space = FAMILIES[name]
    trainable = made()
    metrics = ["val_loss", *(f"val_{metric}" for metric in trainable.metrics)]
    trainer = WarmTrainer(trainable, trainable.load_data(), "val_loss", "min")
    found = configurations(space, NUM_CONFIGURATIONS)
    curves = {metric: np.full((len(found), EPOCHS), np.nan, np.float32) for metric in metrics}
    started_s = time.perf_counter()
    for number, params in enumerate(found):
        trainer.start({**params, "epochs": EPOCHS}, seed=number)
        for epoch in range(EPOCHS):
            result = trainer.train_epoch().metrics
            if not all(math.isfinite(result[metric]) for metric in ("loss", *metrics)):
                break
            for metric in metrics:
                curves[metric][number, epoch] = result[metric]
        if number % 50 == 49:
            print(
                f"{name}: {number + 1} in {time.perf_counter() - started_s:.0f} s, {trainer.traces} traces", flush=True
            )
    CURVES.mkdir(exist_ok=True)
    np.savez_compressed(CURVES / f"{name}.npz", configurations=np.array(json.dumps(found)), **curves)


if __name__ == "__main__":
    for family in sys.argv[1:] or FAMILIES:
        train(family)
