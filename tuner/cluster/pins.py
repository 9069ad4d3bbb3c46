"""Compares the versions that a cluster file installs with the lock file: all nodes need the same versions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from tuner.cluster.schema import COMMAND_LISTS

LOCK = Path(__file__).parents[2] / "requirements.lock"
PYTHON_MIN = (3, 11)
_DECISIVE = ("ray", "tensorflow", "keras", "hyperopt", "mlflow")
"""Packages whose version each installation must state."""
_EXTRAS = r"(?:\[[^][]*\])?"
_NAME = r"(?<![\w./:@-])([A-Za-z][A-Za-z0-9._-]*[A-Za-z0-9]|[A-Za-z])" + _EXTRAS
_PINNED = re.compile(_NAME + r"\s*={2,3}\s*([0-9][\w.!+*-]*)")
_WHEEL = re.compile(r"(?:^|[/\s'\"])([A-Za-z][\w.]*?)-(\d[\w.!+]*)(?:-\d\w*)?-(?:py|cp)(\d)(\d*)-[\w.]+-[\w.]+\.whl")
_BY_FILE = re.compile(rf"(?<![\w.-])[\w.-]+{_EXTRAS}\s*@\s*\S+|(?<!\S)\S+\.whl\S*")
"""`ray @ https://…` and wheels. They match only at the start of a word: a command may hold long words, such as keys."""
_INSTALLER, _INSTALL = re.compile(r"\b(?:pip3?|uv)\b"), re.compile(r"\b(?:install|add)\b")
_COMMENT = re.compile(r"(?:^|(?<=\s))#.*", re.MULTILINE)
_PYTHON = re.compile(r"(?:--python[ =]|\bpython=+)v?(\d)\.(\d+)")
_IMAGE = re.compile(r"(?:^|/)(rayproject/ray(?:-ml|-llm)?|tensorflow/tensorflow)(?::([\w.-]+))?(@sha256:\w+)?$")


@dataclass(frozen=True)
class Pins:
    """The versions that all nodes must have, and where they come from."""

    versions: Mapping[str, str]
    source: str


@cache
def locked() -> Pins:
    """The versions of the lock file; outside of a checkout, those of this environment."""
    if LOCK.is_file():
        pins = re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", LOCK.read_text(), re.MULTILINE)
        return Pins({_normal(name): version for name, version in pins}, LOCK.name)
    here = {_normal(d.metadata["Name"]): d.version for d in metadata.distributions() if d.metadata["Name"]}
    return Pins(here, "this environment")


def is_locked(package: str) -> bool:
    """Whether each node has a package by the lock file."""
    return _normal(package) in locked().versions


def pin_problems(cluster: Mapping[str, Any], pins: Pins, written: Mapping[str, Any]) -> list[str]:
    """Versions in commands and images that are missing or differ from the lock file.

    Args:
        cluster: with Ray's defaults filled in.
        written: the file without defaults, so that messages can call a default one.
    """
    problems: list[str] = []
    for path, command in _all_commands(cluster):
        problems += [f"{path}{_default(path, written)}: {rule}" for rule in _command_problems(command, pins)]
    for path, image in _all_images(cluster):
        problems += [f"{path}: {rule}" for rule in _image_problems(image, pins)]
    pythons = _all_pythons(cluster)
    for (major, minor), path in pythons.items():
        if (major, minor) < PYTHON_MIN:
            rule = f"must install Python {PYTHON_MIN[0]}.{PYTHON_MIN[1]} or newer, which {pins.source} is for"
            problems.append(f"{path}{_default(path, written)}: {rule}, but got {major}.{minor}")
    sound = {version: path for version, path in sorted(pythons.items()) if version >= PYTHON_MIN}
    if len(sound) > 1:
        names = ", ".join(f"{major}.{minor} in {path}" for (major, minor), path in sound.items())
        problems.append(f"the file: all nodes must have one Python, but got {names}")
    return list(dict.fromkeys(problems))


def _default(path: str, written: Mapping[str, Any]) -> str:
    return "" if re.split(r"[.\[]", path)[0] in written else " (Ray's default, as the file has none)"


def pin_warnings(cluster: Mapping[str, Any], pins: Pins) -> list[str]:
    """A Python newer than that of the lock file, and images without a version."""
    made_with = f"{PYTHON_MIN[0]}.{PYTHON_MIN[1]}"
    newer = [
        f"{path}: installs Python {major}.{minor}, but {pins.source} was made and tested with {made_with}"
        for (major, minor), path in _all_pythons(cluster).items()
        if (major, minor) > PYTHON_MIN
    ]
    images = ((path, _IMAGE.search(image)) for path, image in _all_images(cluster))
    untold = [
        f"{path}: a digest alone does not say its version; it must be an image of {_pinned(found, pins)}"
        for path, found in images
        if found is not None and not found[2] and found[3] and _package(found) in pins.versions
    ]
    return [*newer, *untold]


def _all_pythons(cluster: Mapping[str, Any]) -> dict[tuple[int, int], str]:
    """Versions of Python, and where each stands."""
    found = [(version, path) for path, command in _all_commands(cluster) for version in _pythons(command)]
    found += [(version, path) for path, image in _all_images(cluster) for version in _image_pythons(image)]
    return dict(found)


def _command_problems(command: str, pins: Pins) -> Iterator[str]:
    for name, version in _PINNED.findall(command):
        yield from _drift(name, version, pins)
    for name, version, *_ in _WHEEL.findall(command):
        yield from _drift(name.replace("_", "-"), version, pins)
    for arguments in _installed(_BY_FILE.sub(" ", command)):
        for name in dict.fromkeys(re.findall(_NAME + r"(?=\s|['\"]|[<>~!]|$)(?!\s*==)", arguments)):
            if _normal(name) in _DECISIVE and not re.search(rf"{re.escape(name)}{_EXTRAS}\s*==", arguments):
                expected = pins.versions.get(_normal(name))
                yield f"must install {name}=={expected}, as {pins.source} has it, but names no version"


def _installed(command: str) -> Iterator[str]:
    """The arguments of each `pip install`, `uv pip install` and `uv add` in a shell command."""
    for part in re.split(r"[;&|]", command):
        installer = _INSTALLER.search(part)
        if installer is not None and (install := _INSTALL.search(part, installer.end())) is not None:
            yield part[install.end() :]


def _drift(name: str, version: str, pins: Pins) -> Iterator[str]:
    expected = pins.versions.get(_normal(name))
    if expected is not None and version != expected:
        yield f"must install {name}=={expected}, as {pins.source} has it, but got {version}"


def _image_problems(image: str, pins: Pins) -> Iterator[str]:
    found = _IMAGE.search(image)
    expected = pins.versions.get(_package(found)) if found is not None else None
    if found is None or expected is None or (found[3] and not found[2]):  # by its digest alone: see `pin_warnings`
        return
    version = (found[2] or "").split("-")[0]
    if version != expected:
        got = version if version[:1].isdigit() else repr(image)
        yield f"must be an image of {_pinned(found, pins)}, but got {got}"


def _package(image: re.Match[str]) -> str:
    return image[1].split("/")[1].split("-")[0]


def _pinned(image: re.Match[str], pins: Pins) -> str:
    """The package of an image, with the version that all nodes must have."""
    package = _package(image)
    return f"{package} {pins.versions.get(package)}, as {pins.source} has it"


def _pythons(command: str) -> Iterator[tuple[int, int]]:
    yield from ((int(major), int(minor)) for major, minor in _PYTHON.findall(command))
    yield from ((int(major), int(minor)) for _, _, major, minor in _WHEEL.findall(command) if minor)


def _image_pythons(image: str) -> Iterator[tuple[int, int]]:
    if _IMAGE.search(image):
        yield from ((3, int(minor)) for minor in re.findall(r"-py3(\d+)\b", image))


def _all_commands(cluster: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    nodes = {f"available_node_types.{k}.": v for k, v in (cluster.get("available_node_types") or {}).items()}
    for prefix, section in {"": cluster, **nodes}.items():
        for key in COMMAND_LISTS:
            for index, command in enumerate(section.get(key) or ()):
                yield f"{prefix}{key}[{index}]", _COMMENT.sub("", command)


def _all_images(cluster: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    nodes = {f"available_node_types.{k}.": v for k, v in (cluster.get("available_node_types") or {}).items()}
    for prefix, section in {"": cluster, **nodes}.items():
        for key, image in (section.get("docker") or {}).items():
            if key.endswith("image") and isinstance(image, str):
                yield f"{prefix}docker.{key}", image


def _normal(name: str) -> str:
    """A package's name as PyPI compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()
