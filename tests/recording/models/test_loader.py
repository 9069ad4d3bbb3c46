"""The module that loads a model of the user's own classes: with this model's code, whatever was imported before."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tuner.recording.models.loader import loader_text

STANDING_IN = {
    "keras.py": "from types import SimpleNamespace\nimport contextlib\n\n"
    "def scope(found):\n    seen.update(found)\n    return contextlib.nullcontext()\n\n"
    "seen = {}\nsaving = SimpleNamespace(custom_object_scope=scope)\n",
    "mlflow/__init__.py": "",
    "mlflow/keras/__init__.py": "",
    "mlflow/keras/load.py": "from types import SimpleNamespace\n\n"
    "def predict(data, verbose):\n    return [data, data + 1]\n\n"
    "def _load_pyfunc(path):\n"
    "    return SimpleNamespace(get_raw_model=lambda: SimpleNamespace(predict=predict))\n",
    "pandas.py": "class DataFrame: pass\n",
}
"""Of Keras and MLflow, what the module uses."""


def run(folder: Path, code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def test_two_models_in_one_process_have_each_their_own_code(tmp_path: Path) -> None:
    write(tmp_path, STANDING_IN)
    for number in (1, 2):
        text = loader_text({"m>Layer": ("layers", "Layer")}, [], ["layers.py", "parts/more.py"])
        write(
            tmp_path / f"model{number}",
            {
                f"load_{number}.py": text,
                "layers.py": "from parts.more import Layer\n",
                "parts/more.py": f"class Layer: of = {number}\n",
            },
        )
    found = run(
        tmp_path,
        "import sys, keras, importlib\n"
        "for number in (1, 2, 1):\n"
        "    sys.path.insert(0, f'model{number}')\n"
        "    importlib.import_module(f'load_{number}')._load_pyfunc('path')\n"
        "    print(keras.seen['m>Layer'].of)\n",
    )
    assert found.split() == ["1", "2", "1"]


def test_several_outputs_are_given_by_name(tmp_path: Path) -> None:
    write(tmp_path, {**STANDING_IN, "load_it.py": loader_text({}, ["a", "b"], [])})
    assert run(tmp_path, "import load_it; print(load_it._load_pyfunc('path').predict(1))").strip() == "{'a': 1, 'b': 2}"
