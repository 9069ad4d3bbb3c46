"""A draft as the text of a spec, with what is to be said about it as comments."""

from __future__ import annotations

from tuner.spec.conversion.draft import Draft
from tuner.spec.reading import printable
from tuner.spec.writing import flow_line


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
            lines += [f"  {flow_line({parameter: written})}" for parameter, written in value.items()]
        else:
            lines.append(flow_line({name: value}))
    return "\n".join(lines) + "\n"
