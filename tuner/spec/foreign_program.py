"""What a W&B sweep runs, in a spec: its `program`, and its `command` with `${args}`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tuner.spec.conversion.program import command_of, parts_of
from tuner.spec.foreign_parameters import Advice, flow, leave_out, unknown

_MACRO = re.compile(r"\$\{(env|interpreter|program|args\w*|envvar:\w*)\}")
_WRITTEN_OUT = 3
"""Arguments that a message shows."""


def program_advice(written: Mapping[str, Any], found: Advice) -> None:
    """Adds what to write for `program` and for a command with W&B's macros."""
    program, command = written.get("program"), written.get("command")
    parts = command if isinstance(command, list) else str(command or "").split()
    is_wandb = any(_MACRO.fullmatch(str(part)) for part in parts)
    if not isinstance(program, str) and not is_wandb:
        return
    ours = f"command: {_command(written)}"
    if is_wandb:
        found.rules["command",] = f"the words ${{…}} are W&B's; write {ours}"
    if isinstance(program, str):
        if "trainable" in written or command is not None:
            found.rules["program",] = unknown(leave_out("command" if command is not None else "trainable"))
        else:
            file = program if program.startswith((".", "/")) else f"./{program}"
            found.rules["program",] = unknown(f"write {ours}, or trainable: {file}:main")
            found.covers.add(("trainable",))


def _command(written: Mapping[str, Any]) -> str:
    spaces = (written.get(name) for name in ("space", "parameters"))
    names = [str(name) for space in spaces if isinstance(space, Mapping) for name in space]
    shown_names = {name: name for name in names[:_WRITTEN_OUT]}
    text = flow(command_of(parts_of(written) or [], written.get("program"), shown_names)[0])
    return f"{text.removesuffix(']')}, …]" if len(names) > _WRITTEN_OUT else text
