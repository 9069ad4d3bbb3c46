"""A spec as text: a field a line, the parameters of the space below one another, with comments."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tuner.base.errors import UsageError
from tuner.spec.reading import printable


def commented(fields: Mapping[str, Any], comments: Mapping[str, Sequence[str]]) -> str:
    """The text of a spec.

    Args:
        fields: as YAML has them.
        comments: the lines above a field, by its name: `epochs`, `space.units`; above all of it, by "".
    """
    lines = _comment("", comments)
    for name, value in fields.items():
        lines += _comment(name, comments)
        if name == "space" and value:
            lines.append("space:")
            for parameter, written in value.items():
                lines += [f"  {line}" for line in _comment(f"space.{parameter}", comments)]
                lines.append(f"  {flow_line({parameter: written})}")
        else:
            lines.append(flow_line({name: value}))
    return "\n".join(lines) + "\n"


def new_file(output: str, way_on: str = "name another file") -> Path:
    """The file that a spec is to be written to.

    Raises:
        UsageError: it is there already, or its folder is not.
    """
    target = Path(output)
    if not target.absolute().parent.is_dir():
        raise UsageError(f"{printable(output)}: cannot be written: there is no folder {printable(str(target.parent))}")
    if os.path.lexists(target):
        raise UsageError(f"{printable(output)}: is there already; {way_on}")
    return target


def write_new(target: Path, text: str) -> None:
    """Writes a spec's text to a file that is not there yet.

    Raises:
        UsageError: it is there, or cannot be written.
    """
    new_file(str(target))
    try:
        with target.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise UsageError(f"{printable(str(target))}: cannot be written: {error.strerror or error}") from None


def flow_line(entry: Mapping[str, Any]) -> str:
    """`name: value` on one line."""
    from ruamel.yaml import YAML

    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = True
    yaml.width = 2**20
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    stream = io.StringIO()
    yaml.dump(dict(entry), stream)
    text = stream.getvalue().strip()
    return text.removeprefix("{").removesuffix("}")


def _comment(place: str, comments: Mapping[str, Sequence[str]]) -> list[str]:
    return [f"# {printable(line)}" for line in comments.get(place, ())]
