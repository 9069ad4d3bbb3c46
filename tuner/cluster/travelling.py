"""Whether what a sweep needs of this machine would be on its cluster: files that its code opens, packages, keys."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from tuner.base.secrets import is_secret_file
from tuner.cluster.including import SECRET
from tuner.cluster.parcel import Parcel, is_spec, names_in_code
from tuner.cluster.pins import is_locked, locked
from tuner.inspection.provenance import collect
from tuner.spec import SweepSpec
from tuner.spec.requirements import normal_name

_NAMED = 5


def opened_problems(spec: SweepSpec, parcel: Parcel, opened: Iterable[str], shared: Iterable[str] = ()) -> list[str]:
    """Files that the trainable opened here and that would not be on the cluster; a line each, with the way out.

    Args:
        opened: as `Inspected.opened`.
        shared: folders that each node has.
    """
    missing: dict[str, int] = {}
    shipped = {path.resolve() for path in parcel.here}
    apart = [Path(path).resolve() for path in [*shared, *_own_places(spec)]]
    for text in opened:
        path = Path(text).resolve()
        if path in shipped or any(path.is_relative_to(place) for place in apart) or _is_passed(path, parcel, shipped):
            continue
        name = _top(Path(text), parcel)
        missing[name] = missing.get(name, 0) + path.is_file()
    who = spec.trainable.rpartition("/")[2].rpartition(":")[0]
    lines = [_line(who, name, number) for name, number in missing.items()]
    more = len(lines) - _NAMED
    return [
        *lines[:_NAMED],
        *([f"trainable: {who} opens {more} more files that would not be there"] if more > 0 else []),
    ]


def left_behind_warnings(parcel: Parcel) -> list[str]:
    """What the code names in a text and does not travel: TensorFlow reads files that nobody sees being opened."""
    return [
        f"trainable: {file} names {name}, which stays here ({parcel.left_out[name]})"
        + (f"; take it along with --include {name.rstrip('/')}" if parcel.left_out[name] != SECRET else "")
        for name, file in names_in_code(parcel).items()
    ]


def package_problems(spec: SweepSpec) -> list[str]:
    """Requirements that name another version of a package than each node has."""
    versions = locked().versions
    return [
        f"requirements: {name} must be {versions[name]}, which each node has, but got {pin}"
        for name, pin in spec.required.items()
        if is_locked(name) and versions[name] != pin
    ]


def package_warnings(spec: SweepSpec, place: str) -> list[str]:
    """Packages that the trainable imports and that nobody installs on the cluster.

    Args:
        place: what has no more than the lock file, such as "the image".
    """
    code = collect(spec.trainable)
    packages = code.manifest["packages"] if code is not None else {}
    return [
        f"requirements: the trainable imports {name}, which {place} may lack: requirements: [{name}=={version}]"
        for name, version in packages.items()
        if not is_locked(name) and normal_name(name) not in spec.required and name != "tuner"
    ]


def _own_places(spec: SweepSpec) -> Iterator[str]:
    """What the spec itself names, which is judged by itself."""
    for place in (spec.data, spec.storage):
        if place is not None and "://" not in place and os.path.exists(os.path.expanduser(place)):
            yield os.path.expanduser(place)


def _is_passed(path: Path, parcel: Parcel, shipped: set[Path]) -> bool:
    """Whether a path is a folder in which something is looked for: one above the code, or one that travels."""
    if not path.is_dir():
        return path.suffix in (".yaml", ".yml") and is_spec(path)
    is_above = any(folder.is_relative_to(path) for folder in parcel.roots)
    return is_above or any(one.is_relative_to(path) for one in shipped)


def _top(path: Path, parcel: Parcel) -> str:
    """What to name of a missing file: the highest folder of which nothing travels, else the file; or its whole path."""
    for folder in reversed(parcel.roots):
        if path.is_relative_to(folder) and path != folder:
            parts = path.relative_to(folder).parts
            for depth in range(1, len(parts)):
                top = folder.joinpath(*parts[:depth])
                if not any(one.is_relative_to(top) for one in parcel.here):
                    return "/".join(parts[:depth]) + "/"
            return "/".join(parts) + ("/" if path.is_dir() else "")
    return str(path)


def _line(who: str, name: str, number: int) -> str:
    files = f" ({number} files)" if number > 1 else ""
    what = f"trainable: {who} opens {name}{files}, which would not be on the cluster"
    if is_secret_file(name.rstrip("/")):
        return f"{what}, as {SECRET}; give what it holds in environment variables"
    if os.path.isabs(name):
        return f"{what}; put it into a bucket or a shared folder, or into the folder of the spec and --include it"
    return f"{what}; take it along with --include {name.rstrip('/')}, or put it into a bucket or a shared folder"
