"""A trained model as a folder of MLflow's Keras flavour, written without TensorFlow, as `mlflow.keras.save_model` does.

That function would import TensorFlow here, and predict once more to see which packages the model needs.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import mlflow
import numpy as np
from mlflow import pyfunc
from mlflow.entities import LoggedModel
from mlflow.models import Model, ModelSignature
from mlflow.models.utils import _save_example
from mlflow.types import Schema, TensorSpec
from mlflow.utils.environment import _mlflow_conda_env, _PythonEnv

from tuner.recording.models.loader import loader_text

MODEL, EXAMPLE, DESCRIPTION = "model.keras", "example.npz", "model.json"
"""The files of `trainables.training.saving`, and of `example` beside it."""
_ENVIRONMENT = {"conda_env": "conda.yaml", "python_env": "python_env.yaml"}
_CODE = "code"
_OF_A_FILE = re.compile(r"tuner_user_(.+)_[0-9a-f]{16}")
"""The name of the module of a trainable's own file."""


class Built:
    """What the process that built a model has written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._described: dict[str, Any] = json.loads((folder / DESCRIPTION).read_text())

    @property
    def requirements(self) -> list[str]:
        """The packages that it needs, pinned."""
        return [f"mlflow=={mlflow.__version__}", *self._described["packages"].values()]

    @property
    def objects(self) -> dict[str, tuple[str, str]]:
        """The classes and functions of the user's that it needs: registered name -> module, name."""
        return {name: (_module(place[0]), place[1]) for name, place in self._described["objects"].items()}

    @property
    def outputs(self) -> list[str]:
        """The names of its outputs, if it has several."""
        return [str(name) for name, *_ in self._described.get("outputs", ()) if name is not None]

    @property
    def flavor(self) -> dict[str, Any]:
        keras = self._described["packages"]["keras"].partition("==")[2]
        return {
            "data": "data",
            "keras_version": keras,
            "keras_backend": self._described["backend"],
            "save_exported_model": False,
        }

    @property
    def signature(self) -> ModelSignature | None:
        if not (inputs := self._described.get("inputs")):
            return None
        return ModelSignature(inputs=_schema(inputs), outputs=_schema(self._described["outputs"]))

    @property
    def example(self) -> Any:
        """The first inputs, as `predict` takes them; None if there are none."""
        if not (inputs := self._described.get("inputs")):
            return None
        with np.load(self.folder / EXAMPLE, allow_pickle=False) as arrays:
            found = [arrays[f"arr_{index}"].astype(kind) for index, (_, kind, _) in enumerate(inputs)]
        return found[0] if inputs[0][0] is None else dict(zip((name for name, *_ in inputs), found, strict=True))


def write_files(
    built: Built,
    model: LoggedModel,
    run_id: str,
    code: Mapping[str, bytes],
    more_requirements: Sequence[str],
    metadata: Mapping[str, Any],
    target: Path,
) -> None:
    """Writes the folder of a logged model.

    Args:
        code: the files of the user's that hold `built.objects`, by their names.
        more_requirements: packages that the code needs.
    """
    (target / "data").mkdir(parents=True)
    shutil.move(built.folder / MODEL, target / "data" / MODEL)
    (target / "data" / "keras_module.txt").write_text("keras")
    made = Model(
        artifact_path=model.artifact_location,
        model_uuid=model.model_id,
        model_id=model.model_id,
        run_id=run_id,
        signature=built.signature,
        metadata=dict(metadata),
    )
    if (example := built.example) is not None:
        _save_example(made, example, str(target))
    made.add_flavor("keras", **built.flavor)
    if built.objects or built.outputs:
        loader = f"load_{model.model_id.replace('-', '_')}"
        _write_code(built, code, target / _CODE, loader)
        pyfunc.add_to_model(made, loader_module=loader, code=_CODE, **_ENVIRONMENT)
    else:
        pyfunc.add_to_model(made, loader_module="mlflow.keras", **_ENVIRONMENT)
    _write_environment([*built.requirements, *(more_requirements if built.objects else ())], target)
    made.model_size_bytes = sum(file.stat().st_size for file in target.rglob("*") if file.is_file())
    made.save(str(target / "MLmodel"))


def _write_environment(requirements: list[str], target: Path) -> None:
    (target / "requirements.txt").write_text("\n".join(requirements) + "\n")
    conda = str(target / _ENVIRONMENT["conda_env"])
    _mlflow_conda_env(conda, additional_pip_deps=requirements, install_mlflow=False)
    _PythonEnv.current().to_yaml(str(target / _ENVIRONMENT["python_env"]))


def _write_code(built: Built, code: Mapping[str, bytes], folder: Path, loader: str) -> None:
    """The user's files, and a module that imports them before it loads the model.

    Args:
        loader: that module's name, of this model alone: Python imports a name once, whatever other model has it.
    """
    for name, content in code.items():
        if ".." not in (parts := PurePosixPath(name).parts) and not name.startswith("/"):
            file = folder.joinpath(*parts)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
    folder.mkdir(exist_ok=True)
    written = loader_text(built.objects, built.outputs, code)
    (folder / f"{loader}.py").write_text(written)


def _module(name: str) -> str:
    found = _OF_A_FILE.fullmatch(name)
    return found[1] if found else name


def _schema(specs: list[list[Any]]) -> Schema:
    return Schema([TensorSpec(np.dtype(kind), tuple(shape), name) for name, kind, shape in specs])
