"""The packages that a sweep needs besides Tuner's own: what may be written, and whether this environment has them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from tuner.spec.fields import Text
from tuner.spec.space import shown


def _check(written: str) -> str:
    name, pin = _parts(written)
    if not name:
        rule = "must be a package with its version, such as {example}, but got {got}"
        raise PydanticCustomError("rule", rule, {"example": "albumentations==1.4.18", "got": shown(written)})
    if not pin:
        known = installed(name)
        example = f"{name}=={known}" if known else f"{name}==1.2.3"
        rule = "must be pinned to one version, such as {example}, but got {got}"
        raise PydanticCustomError("rule", rule, {"example": example, "got": shown(written)})
    return written


Requirement = Annotated[Text, AfterValidator(_check)]


@cache
def _parts(written: str) -> tuple[str, str]:
    """The name, and the version or the URL that it is pinned to; empty where there is none."""
    from packaging.requirements import InvalidRequirement
    from packaging.requirements import Requirement as Parsed

    try:
        parsed = Parsed(written)
    except InvalidRequirement:
        return "", ""
    pins = [one.version for one in parsed.specifier if one.operator in ("==", "===") and "*" not in one.version]
    return normal_name(parsed.name), parsed.url or (pins[0] if len(pins) == len(parsed.specifier) == 1 else "")


def normal_name(package: str) -> str:
    """A package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", package).lower()


def pinned(requirements: Iterable[str]) -> dict[str, str]:
    """Package -> the version or the URL that it is pinned to."""
    return dict(_parts(written) for written in requirements)


def installed(package: str) -> str:
    """The version of a package in this environment; empty if it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def applies(written: str) -> bool:
    """Whether a requirement's marker, such as `; sys_platform == "linux"`, holds here."""
    from packaging.requirements import Requirement as Parsed

    marker = Parsed(written).marker
    return marker is None or bool(marker.evaluate())


def missing_here(requirements: Iterable[str]) -> Iterator[str]:
    """What this environment lacks of a sweep's requirements, a line each."""
    lacking = [written for written in requirements if applies(written) and not _is_here(written)]
    for written in lacking:
        name, _ = _parts(written)
        has = f"has {name} {found}" if (found := installed(name)) else "lacks it"
        way_on = f"pip install {' '.join(map(_quoted, lacking))}"
        yield f"requirements: {written} must be installed here, too, but this environment {has}: {way_on}"


def _is_here(written: str) -> bool:
    from packaging.version import InvalidVersion, Version

    name, pin = _parts(written)
    found = installed(name)
    if "://" in pin or not found:
        return bool(found)
    try:
        return Version(found) == Version(pin) or Version(found).public == pin
    except InvalidVersion:
        return found == pin


def _quoted(written: str) -> str:
    import shlex

    return shlex.quote(written)


def twice(requirements: Iterable[str]) -> Iterator[str]:
    """The packages that are named more than once."""
    names: set[str] = set()
    for written in requirements:
        name, _ = _parts(written)
        if name in names:
            yield name
        names.add(name)
