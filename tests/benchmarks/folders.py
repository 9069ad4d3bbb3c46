"""Folders of 2,000 images, CSV files and texts as sweeps, from `tuner run` to its end: outcome and seconds of each.

python -m tests.benchmarks.folders [--files 2000]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

from tests import folders

MODELS = """
    import keras
    from trainables import Data, Trainable

    class Images(Trainable):
        loss, metrics = "sparse_categorical_crossentropy", ["accuracy"]

        def load_data(self):
            return Data.from_image_folder("images", validation=0.2)

        def build_model(self, params):
            layers = [keras.layers.Rescaling(1 / 255), keras.layers.Conv2D(8, 3), keras.layers.Flatten()]
            return keras.Sequential([keras.Input((8, 8, 3)), *layers, keras.layers.Dense(2, "softmax")])

    class Tables(Trainable):
        loss, metrics = "sparse_categorical_crossentropy", ["accuracy"]

        def load_data(self):
            return Data.from_csv("tables", "label", categorical=["color"])

        def build_model(self, params):
            return keras.Sequential([keras.Input((5,)), keras.layers.Dense(3, "softmax")])

    class Texts(Trainable):
        loss, metrics = "sparse_categorical_crossentropy", ["accuracy"]

        def load_data(self):
            return Data.from_text_folder("texts", sequence_length=8, max_tokens=200, validation=0.2)

        def build_model(self, params):
            layers = [keras.layers.Embedding(200, 8), keras.layers.GlobalAveragePooling1D()]
            return keras.Sequential([keras.Input((8,)), *layers, keras.layers.Dense(2, "softmax")])
"""
SPEC = """
    trainable: ./models.py:{name}
    objective: {{metric: val_accuracy, mode: max}}
    num_trials: 4
    epochs: {{max: 3}}
    space:
      learning_rate: {{low: 1.0e-3, high: 1.0e-1, scale: log}}
      batch_size: 32
"""


def sweep(place: Path, name: str) -> str:
    """Runs one, and says how it went."""
    spec = place / f"{name.lower()}.yaml"
    spec.write_text(f"name: {name.lower()}\n{textwrap.dedent(SPEC.format(name=name))}")
    begun = time.perf_counter()
    tuner = [sys.executable, "-m", "tuner.cli.main"]
    done = subprocess.run([*tuner, "run", str(spec)], cwd=place, capture_output=True, text=True)
    wall_s = time.perf_counter() - begun
    if done.returncode:
        return f"{name}: exit {done.returncode} after {wall_s:.1f} s: {done.stderr.strip().splitlines()[-1]}"
    shown = json.loads(
        subprocess.run([*tuner, "show", name.lower(), "--json"], cwd=place, capture_output=True, check=True).stdout
    )
    outcomes = ", ".join(f"{count} {outcome}" for outcome, count in shown["outcomes"].items() if count)
    return f"{name}: {outcomes}; best val_accuracy {shown['best']['value']:.3f}; {wall_s:.1f} s"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", type=int, default=2000, help="in each folder")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        os.environ["XDG_CACHE_HOME"] = str(place / "cache")
        folders.images(place / "images", asked.files)
        folders.tables(place / "tables", asked.files)
        folders.texts(place / "texts", asked.files)
        (place / "models.py").write_text(textwrap.dedent(MODELS))
        for kind in ("Images", "Tables", "Texts"):
            print(sweep(place, kind), flush=True)


if __name__ == "__main__":
    main()
