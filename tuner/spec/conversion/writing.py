"""A draft as the text of a spec, with what is to be said about it as comments."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from tuner.spec.conversion.draft import Draft
from tuner.spec.reading import printable


def spec_text(draft: Draft, source: str) -> str:
    """The text of a spec; complete, so that its assumptions are among the draft's notes once this is called."""
    fields = draft.fields()
    lines = [
        f"# Written by: tuner init --from {printable(source)} (from {draft.tool}). See what it would do: tuner check"
    ]
    if draft.notes:
        lines.append("# What is different here, was assumed, or has no counterpart:")
        lines += [f"#   {printable(note)}" for note in draft.notes]
    for name, value in fields.items():
        if name == "space" and value:
            lines.append("space:")
            lines += [f"  {_flow({parameter: written})}" for parameter, written in value.items()]
        else:
            lines.append(_flow({name: value}))
    return "\n".join(lines) + "\n"


def _flow(entry: Mapping[str, Any]) -> str:
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
