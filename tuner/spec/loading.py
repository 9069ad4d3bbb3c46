"""Loads a spec from a YAML file and `--set` overrides, and reports each problem as one line."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

import trainables
from trainables.built_in import NAMES
from tuner.base.errors import SpecError, UsageError
from tuner.base.secrets import take_credentials
from tuner.spec.commands import named_by
from tuner.spec.feasible import Feasible, value_problems
from tuner.spec.fields import MAX_COUNT
from tuner.spec.foreign import foreign_words
from tuner.spec.foreign_parameters import Advice
from tuner.spec.messages import lines
from tuner.spec.models import ALWAYS_IN_SPACE, ANY_ACROSS, Search, SweepSpec, Tracking, across_problems
from tuner.spec.reading import MAX_PROBLEMS, apply_override, bounded, printable, read_yaml
from tuner.spec.space import Constant, Parameter, Space, completed, condition_problems, point_problems
from tuner.spec.texts import null_problems


def load_spec(
    path: Path | str,
    overrides: Sequence[str] = (),
    name: str | None = None,
    *,
    is_shipped: bool = False,
    is_new: bool = True,
) -> SweepSpec:
    """Loads a spec from a YAML file, applies overrides such as `epochs.max=9`, and makes its paths absolute.

    Args:
        is_shipped: whether the file lies in a cluster job's working directory. Its path differs between clusters, so
            paths in the spec stay relative to it.
        is_new: see `spec_from_mapping`.

    Raises:
        SpecError: all its problems, one line each.
        UsageError: the file cannot be read, or an override has no `=`.
    """
    path = Path(path)
    written = read_yaml(path)
    for override in overrides:
        apply_override(written, override)
    if name is not None:
        written["name"] = name
    folder = None if is_shipped else folder_of(path)
    return spec_from_mapping(written, source=printable(str(path)), folder=folder, is_new=is_new)


def folder_of(path: Path) -> Path:
    """Where a spec's relative paths begin: in its folder; for a shipped default sweep, in the working directory."""
    return Path() if path.resolve().parent == Path(trainables.__file__).parent.resolve() else path.parent


def spec_from_mapping(
    written: Mapping[str, Any], source: str = "spec", folder: Path | None = None, *, is_new: bool = False
) -> SweepSpec:
    """Validates a mapping as a spec. Moves credentials in its tracking.uri into the environment.

    Args:
        folder: the folder that its relative paths refer to.
        is_new: whether the sweep is new. Then its points must lie in its space, which a resume may narrow.

    Raises:
        SpecError: all its problems, one line each.
    """
    written = _without_credentials(written)
    words = foreign_words(written)
    try:
        spec = SweepSpec.model_validate(written)
    except ValidationError as error:
        raise _refusal(error.errors(include_url=False), words, written, source, folder, is_new) from None
    if is_new and words.rules:  # calls as text, which would be read as constants
        raise _refusal([], words, written, source, folder, is_new)
    if is_new and (problems := [*null_problems(spec), *_point_problems(written), *_feasible_problems(spec)]):
        raise SpecError(source, bounded(problems), rest=_with_absolute_paths(spec, folder) if folder else spec)
    return _with_absolute_paths(spec, folder) if folder is not None else spec


def _refusal(
    errors: Sequence[Any], words: Advice, written: Mapping[str, Any], source: str, folder: Path | None, is_new: bool
) -> SpecError:
    items = [item for item in errors if item["type"] not in ("conditions", "across")]
    rest, unmet = _valid_rest([*(item["loc"] for item in items), *words.rules], written)
    problems = list(lines(items, words))
    num_more = len(problems[MAX_PROBLEMS:])
    problems = problems[:MAX_PROBLEMS] + [
        f"{printable(f'space.{path}')}: {message}" for path, message in _condition_problems(written.get("space"))
    ]
    unmet += _point_problems(written) if is_new else []
    problems = bounded(dict.fromkeys([*problems, *unmet]), num_more)
    if rest is not None and folder is not None:
        rest = _with_absolute_paths(rest, folder)
    return SpecError(source, problems, rest=rest)


def _without_credentials(written: Mapping[str, Any]) -> dict[str, Any]:
    tracking = written.get("tracking")
    if not isinstance(tracking, Mapping) or not isinstance(uri := tracking.get("uri"), str):
        return dict(written)
    return {**written, "tracking": {**tracking, "uri": take_credentials(uri)}}


_FILES = (".keras", ".h5")
"""How the names of models' files end."""


def _with_absolute_paths(spec: SweepSpec, folder: Path) -> SweepSpec:
    """Resolves the paths in a spec relative to its file, so that it works from any working directory."""
    changes: dict[str, Any] = {}
    file, separator, class_name = spec.trainable.rpartition(":")
    if separator and file.endswith(".py"):
        changes["trainable"] = f"{os.path.realpath(folder / file)}:{class_name}"
    if spec.command is not None:
        changes["trainable"] = named_by(spec.command, folder)
    is_folder = spec.data not in (None, *NAMES) and not separator and os.path.isdir(folder / str(spec.data))
    if spec.data is not None and (is_folder or is_beside(folder, spec.data)):
        changes["data"] = os.path.realpath(folder / spec.data)
    elif spec.data is not None and (function := spec.data.rpartition(":"))[0].endswith(".py"):
        changes["data"] = f"{os.path.realpath(folder / function[0])}:{function[2]}"
    if not all(path.isprintable() for path in changes.values()):
        raise UsageError(f"{printable(str(folder))}: the name of a spec's folder must be printable text")
    return spec.model_copy(update={**changes, **_with_absolute_files(spec, folder)})


def _with_absolute_files(spec: SweepSpec, folder: Path) -> dict[str, Any]:
    """The space, where constants of it name files beside the spec: those parameters of shipped trainables that may."""
    constants = {name: spec.space[name] for name in file_params(spec.trainable) if name in spec.space}
    found: dict[str, Any] = {}
    for name, constant in constants.items():
        value = constant.value if isinstance(constant, Constant) else None
        if not isinstance(value, str) or "://" in value or value.startswith("~"):
            continue
        if value.endswith(_FILES) or os.path.isfile(folder / value):
            found[name] = constant.model_copy(update={"value": os.path.realpath(folder / value)})
    return {"space": Space({**dict(spec.space.items()), **found})} if found else {}


def file_params(trainable: str) -> Sequence[str]:
    """The parameters that may name files beside the spec; those of users' own are read in the spec's folder anyway."""
    from trainables import registry

    return registry.load(trainable).file_params if trainable in registry.names() else ()


def _valid_rest(places: Iterable[Sequence[Any]], written: Mapping[str, Any]) -> tuple[SweepSpec | None, list[str]]:
    """The spec without its invalid fields, so that the rest can still be checked against its trainable.

    Returns:
        The rest, or None if it is too little; and the problems between valid fields.
    """
    bad = {tuple(place[: 2 if place[:1] == ("space",) else 1]) for place in places}
    rest: dict[str, Any] = {key: value for key, value in written.items() if (key,) not in bad}
    space = rest.get("space")
    if isinstance(space, dict):
        rest["space"] = {name: _unconditional(p) for name, p in space.items() if ("space", name) not in bad}
    try:
        spec = SweepSpec.model_validate({**_PLACEHOLDERS, **rest}, context=ANY_ACROSS)
    except ValidationError:
        return None, []
    across = [(path, rule) for fields, path, rule in across_problems(spec) if not any((f,) in bad for f in fields)]
    sound: dict[str, Any] = {"storage": None, "tracking": Tracking(), "search": Search(), "feasible": []}
    if "space.epochs" in dict(across):
        sound["space"] = Space({name: parameter for name, parameter in spec.space.items() if name != "epochs"})
    return spec.model_copy(update=sound), [f"{path}: {rule}" for path, rule in across]


_PLACEHOLDERS: dict[str, Any] = {
    "name": "rest",
    "objective": {"metric": "loss", "mode": "min"},
    "num_trials": 1,
    "epochs": {"max": MAX_COUNT},
    "space": {},
}


def _unconditional(parameter: Any) -> Any:
    if not isinstance(parameter, dict):
        return parameter
    return type(parameter)({key: value for key, value in parameter.items() if key != "when"})


def is_beside(folder: Path, data: str) -> bool:
    """Whether `data` is a path rather than a name: the path exists, or the text looks like one."""
    if "://" in data or data.startswith("~"):  # every machine has its own home folder
        return False
    path = str(folder / data)
    return data.endswith(".npz") or os.path.isfile(path) or ("/" in data and os.path.isdir(path))


def _condition_problems(written: Any) -> list[tuple[str, str]]:
    """Checks conditions among the parameters that are valid, so that all problems are reported together."""
    if not isinstance(written, dict):
        return []
    return condition_problems(_valid_parameters(written), declared=[str(name) for name in written])


def _valid_parameters(written: Any) -> dict[str, Any]:
    valid = {}
    for name, parameter in written.items() if isinstance(written, dict) else ():
        try:
            valid[str(name)] = _adapter().validate_python(parameter)
        except ValidationError:
            continue
    return valid


def _feasible_problems(spec: SweepSpec) -> list[str]:
    """Conditions that are none or that nothing meets, and points that do not meet them."""
    if not spec.feasible or "space" not in spec.model_fields_set:
        return []
    found = [f"{path}: {rule}" for path, rule in value_problems(spec.feasible, spec.space, spec.search.seed)]
    feasible = Feasible(spec.feasible)
    for index, point in enumerate(spec.search.points if not found else []):
        params = completed(spec.space, point)
        if params is not None and (unmet := feasible.unmet(params)):
            found.append(f"search.points[{index}]: must be feasible, but does not meet {unmet}")
    return found


def _point_problems(written: Mapping[str, Any]) -> list[str]:
    """Checks points against the valid part of the space."""
    search = written.get("search")
    points = search.get("points") if isinstance(search, Mapping) else getattr(search, "points", None)
    if not isinstance(points, list):
        return []
    declared = written.get("space")
    try:
        problems = point_problems(Space.model_validate(declared), points, unknown=ALWAYS_IN_SPACE)
    except ValidationError:
        valid = {name: p.model_copy(update={"when": None}) for name, p in _valid_parameters(declared).items()}
        unknown = {*ALWAYS_IN_SPACE, *(declared if isinstance(declared, dict) else ())}
        problems = point_problems(Space.model_construct(valid), points, unknown, is_whole=False)
    return [f"search.points{printable(path)}: {rule}" for path, rule in problems]


@cache
def _adapter() -> TypeAdapter[Any]:
    return TypeAdapter(Parameter)
