"""Fine-tuning against training from scratch, and against the same recipe in plain Keras.

    python -m tests.benchmarks.finetuning                    # 100, 200 and 400 labelled digits, five seeds
    python -m tests.benchmarks.finetuning --write-base       # makes trainables/vision/small.keras of Fashion-MNIST

The recipe: 5 epochs of the head alone at a rate of 0.01, then 15 of all layers at 0.002, in batches of 16. Scratch: the
same model with new weights and 20 epochs at the better of 0.002 and 0.01. Accuracies are those of the best epoch on the
297 validation digits. Fashion-MNIST is that of Debian's dataset-fashion-mnist.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from tests.trainables.vision import recipes

EPOCHS_OF_BASE = 4


def main() -> None:
    """Prints a line for each number of labels: mean and standard deviation over the seeds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--labels", type=int, nargs="+", default=[100, 200, 400])
    parser.add_argument("--write-base", action="store_true")
    asked = parser.parse_args()
    if asked.write_base:
        from tests.fashion import pretrained
        from trainables.vision.bases import SMALL_FILE

        pretrained(60_000, EPOCHS_OF_BASE).save(SMALL_FILE)
        return
    for labels in asked.labels:
        with tempfile.TemporaryDirectory() as folder:
            print(f"{labels} labels: {_measured(Path(folder), labels, asked.seeds)}", flush=True)


def _measured(folder: Path, labels: int, num_seeds: int) -> str:
    recipes.write(folder, labels)
    trainer = recipes.new_trainer(folder)
    sides = {
        "finetune-image": [recipes.trained(trainer, seed, head_factor=0.2) for seed in range(num_seeds)],
        "with layer_decay 0.7": [
            recipes.trained(trainer, seed, head_factor=0.2, layer_decay=0.7) for seed in range(num_seeds)
        ],
        "plain Keras": [recipes.by_hand(folder, seed) for seed in range(num_seeds)],
        "from scratch": [recipes.from_scratch(trainer, seed) for seed in range(num_seeds)],
    }
    return ", ".join(
        f"{name} {statistics.mean(values):.3f} ± {statistics.stdev(values):.3f}" for name, values in sides.items()
    )


if __name__ == "__main__":
    main()
