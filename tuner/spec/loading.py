"""From a YAML file and `--set` overrides to a spec, with every problem as one line."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError

from tuner.errors import SpecError, UsageError
from tuner.space import KINDS, Parameter, condition_problems, nearest
from tuner.spec.models import SweepSpec

MAX_SPEC_BYTES = 256 * 1024


def load_spec(path: Path | str, overrides: Sequence[str] = (), name: str | None = None) -> SweepSpec:
    """The spec in a YAML file, with overrides such as `epochs.max=9` laid over it. Paths become absolute.

    Raises:
        SpecError: all that is wrong with it, one line for each problem.
        UsageError: the file cannot be read, or an override has no `=`.
    """
    path = Path(path)
    written = read_yaml(path)
    for override in overrides:
        apply_override(written, override)
    if name is not None:
        written["name"] = name
    return spec_from_mapping(written, source=str(path), folder=path.parent)


def spec_from_mapping(written: Mapping[str, Any], source: str = "spec", folder: Path | None = None) -> SweepSpec:
    """The spec that a mapping describes; `folder` is what relative paths in it are relative to.

    Raises:
        SpecError: all that is wrong with it, one line for each problem.
    """
    try:
        spec = SweepSpec.model_validate(dict(written))
    except ValidationError as error:
        raise SpecError(source, _problems(error, written), rest=_valid_rest(error, written, folder)) from None
    return _with_absolute_paths(spec, folder) if folder is not None else spec


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML 1.2 file that holds one mapping.

    Raises:
        UsageError: no such file, not YAML, or not a mapping.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        if path.stat().st_size > MAX_SPEC_BYTES:
            raise UsageError(f"{path}: a spec must be smaller than {MAX_SPEC_BYTES // 1024} KiB")
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: must be UTF-8 text, but byte {error.start} is not") from None
    try:
        written = YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        raise UsageError(f"{path}: must be YAML, but {_yaml_problem(error)}") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: must be YAML, but {str(error) or type(error).__name__}") from None
    if not isinstance(written, dict):
        raise UsageError(f"{path}: must hold a mapping such as `name: my-sweep`, but got {_shown(written)}")
    return written


def dump_yaml(tree: Mapping[str, Any]) -> str:
    """A mapping as YAML in its own order."""
    from ruamel.yaml import YAML

    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    stream = io.StringIO()
    yaml.dump(dict(tree), stream)
    return stream.getvalue()


def apply_override(written: dict[str, Any], override: str) -> None:
    """Lays `a.b=value` over a mapping; the value is read as YAML.

    Raises:
        UsageError: it has no `=`, or goes through something that is not a mapping.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    path, separator, text = override.partition("=")
    keys = path.strip().split(".")
    if not separator or not all(keys):
        raise UsageError(f"--set {override}: must be PATH=VALUE such as epochs.max=9")
    try:
        value = YAML(typ="safe", pure=True).load(text)
    except (YAMLError, ValueError, RecursionError) as error:
        raise UsageError(f"--set {override}: the value must be YAML, but {_yaml_problem(error)}") from None
    tree = written
    for depth, key in enumerate(keys[:-1]):
        if tree.get(key) is None:
            tree[key] = {}
        if not isinstance(tree[key], dict):
            raise UsageError(f"--set {override}: {'.'.join(keys[: depth + 1])} is {_shown(tree[key])}, not a mapping")
        tree = tree[key]
    tree[keys[-1]] = value


def _with_absolute_paths(spec: SweepSpec, folder: Path) -> SweepSpec:
    """Paths in a spec are relative to its file, so that it works from any working directory."""
    changes: dict[str, Any] = {}
    file, separator, class_name = spec.trainable.rpartition(":")
    if separator and file.endswith(".py"):
        changes["trainable"] = f"{(folder / file).resolve()}:{class_name}"
    if spec.data is not None and _is_file(folder / spec.data):
        changes["data"] = str((folder / spec.data).resolve())
    return spec.model_copy(update=changes)


def _valid_rest(error: ValidationError, written: Mapping[str, Any], folder: Path | None) -> SweepSpec | None:
    """What is left of a spec without its invalid fields, so that the rest can still be held against its trainable."""
    bad = {item["loc"][:2] for item in error.errors() if item["type"] != "conditions"}
    bad = {location if location[:1] == ("space",) else location[:1] for location in bad}
    rest: dict[str, Any] = {key: value for key, value in written.items() if (key,) not in bad}
    space = rest.get("space")
    if isinstance(space, dict):
        rest["space"] = {name: _unconditional(p) for name, p in space.items() if ("space", name) not in bad}
    try:
        spec = SweepSpec.model_validate({**_PLACEHOLDERS, **rest})
    except ValidationError:
        return None
    return _with_absolute_paths(spec, folder) if folder is not None else spec


_PLACEHOLDERS: dict[str, Any] = {
    "name": "rest",
    "objective": {"metric": "loss", "mode": "min"},
    "num_trials": 1,
    "epochs": {"max": 2**31},
    "space": {},
}


def _unconditional(parameter: Any) -> Any:
    is_mapping = isinstance(parameter, dict)
    return {key: value for key, value in parameter.items() if key != "when"} if is_mapping else parameter


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # too long, or no path at all
        return False


def _problems(error: ValidationError, written: Mapping[str, Any]) -> list[str]:
    lines = [_line(item) for item in error.errors(include_url=False) if item["type"] != "conditions"]
    lines += [f"space.{path}: {message}" for path, message in _condition_problems(written.get("space"))]
    return list(dict.fromkeys(lines))


def _condition_problems(written: Any) -> list[tuple[str, str]]:
    """Conditions are judged among the parameters that are valid by themselves, so that all problems come at once."""
    if not isinstance(written, dict):
        return []
    adapter: TypeAdapter[Any] = TypeAdapter(Parameter)
    valid = {}
    for name, parameter in written.items():
        try:
            valid[str(name)] = adapter.validate_python(parameter)
        except ValidationError:
            continue
    return condition_problems(valid, declared=[str(name) for name in written])


def _line(item: Any) -> str:
    """One problem as `path: rule, but got what`."""
    location = _without_tags(list(item["loc"]))
    context = item.get("ctx", {})
    if "field" in context:
        location.append(context["field"])
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).lstrip(".")
    return f"{path or 'spec'}: {_rule(item, location)}"


def _rule(item: Any, location: list[Any]) -> str:
    kind, received, context = item["type"], item["input"], item.get("ctx", {})
    if kind == "rule":
        return str(item["msg"])
    if kind == "missing":
        return "is required, but is missing"
    if kind == "extra_forbidden":
        return f"unknown key{nearest(str(location[-1]), _known_keys(location[:-1], item))}"
    if kind == "literal_error":
        hint = nearest(received, _literals(context)) if isinstance(received, str) else ""
        return f"must be {context['expected']}, but got {_shown(received)}{hint if 'mean' in hint else ''}"
    if kind == "string_pattern_mismatch":
        return f"must be letters, digits, dots, dashes and underscores, 100 at most, but got {_shown(received)}"
    rules = {
        "greater_than": "must be greater than {gt}",
        "greater_than_equal": "must be at least {ge}",
        "less_than": "must be less than {lt}",
        "less_than_equal": "must be at most {le}",
        "finite_number": "must be a finite number",
        "too_short": "must not be empty",
        "model_type": "must be a mapping",
        "dict_type": "must be a mapping",
    }
    types = {"float": "a number", "int": "a whole number", "string": "text", "bool": "true or false", "list": "a list"}
    what = kind.removesuffix("_type").removesuffix("_parsing")
    rule = rules.get(kind) or (f"must be {types[what]}" if what in types else _lower_first(item["msg"]))
    return f"{rule.format(**context)}, but got {_shown(received)}"


def _literals(context: Mapping[str, Any]) -> list[str]:
    return [part.strip(" '") for part in str(context["expected"]).replace(" or ", ",").split(",")]


def _without_tags(location: list[Any]) -> list[Any]:
    """Without the names of union members that pydantic puts into a path."""
    if location[:1] == ["space"] and len(location) > 2 and location[2] in KINDS:
        del location[2]
        if len(location) > 3 and location[2] == "when":
            del location[4:]
    return [part for part in location if not (isinstance(part, str) and "function-before" in part)]


def _known_keys(location: list[Any], item: Any) -> list[str]:
    """The keys that exist where an unknown one was found."""
    if location[:1] == ["space"]:
        return list(KINDS[item["loc"][2]].model_fields)
    model: type[BaseModel] = SweepSpec
    for part in location:
        model = next(m for m in _models(model.model_fields[part].annotation))
    return list(model.model_fields)


def _models(annotation: Any) -> list[type[BaseModel]]:
    if get_origin(annotation) in (Union, UnionType):
        return [model for part in get_args(annotation) for model in _models(part)]
    return [annotation] if isinstance(annotation, type) and issubclass(annotation, BaseModel) else []


def _yaml_problem(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    return where + " ".join(str(problem).split())


def _shown(value: Any) -> str:
    """A value as it may stand in a message: short, and in YAML's words."""
    words = {None: "nothing", True: "true", False: "false"}
    if value is None or isinstance(value, bool):
        return words[value]
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]
