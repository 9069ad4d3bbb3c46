"""What a W&B sweep runs, in our words: a command whose arguments are the parameters, or a file to name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tuner.spec.conversion.draft import Draft
from tuner.spec.models import SweepSpec

_DEFAULT = ["${env}", "${interpreter}", "${program}", "${args}"]
_PYTHON = re.compile(r"(.*/)?python[\d.]*")
_EPOCHS = re.compile(r"--(?:num[-_])?epochs(?:=(\d+))?")


def runs_of(written: Mapping[str, Any], draft: Draft) -> dict[str, Any]:
    """`command` with a placeholder for each parameter, as W&B passes them; nothing where no program is named."""
    command = written.get("command")
    parts = [str(part) for part in command] if isinstance(command, list) else _DEFAULT
    program = written.get("program", next((part for part in parts if part.endswith(".py")), None))
    if not isinstance(program, str):
        return {}
    _find_epochs(parts, draft)
    if "command" not in SweepSpec.model_fields:
        file = program if program.startswith((".", "/")) else f"./{program}"
        return {"trainable": f"{file}:main"}
    draft.note("program", "report metrics with mlflow.log_metric instead of wandb.log; see `tuner help trainables`")
    found: list[str] = []
    for part in parts:
        found += _expanded(part, program, draft)
    return {"command": found}


def _expanded(part: str, program: str, draft: Draft) -> list[str]:
    """One part of W&B's command, of which some stand for several."""
    names = {name: draft.originals.get(name, name) for name in draft.space}
    if part in ("${env}", "/usr/bin/env"):
        return []
    if part == "${interpreter}" or _PYTHON.fullmatch(part):
        return ["python"]
    if part in ("${args}", "${args_no_boolean_flags}"):
        if part != "${args}" and any(isinstance(value, bool) for value in draft.space.values()):
            draft.note("command", "${args_no_boolean_flags}: true and false are passed as values here")
        return [f"--{theirs}={{{name}}}" for name, theirs in names.items()]
    if part == "${args_no_hyphens}":
        return [f"{theirs}={{{name}}}" for name, theirs in names.items()]
    if part == "${program}":
        return [program]
    if macro := re.search(r"\$\{[^}]*\}", part):
        draft.note("command", f"there is no {macro[0]} here; left out")
        return []
    return [part.replace("{", "{{").replace("}", "}}") if "{" in part else part]


def _find_epochs(parts: list[str], draft: Draft) -> None:
    """How long a training is, where the command says it."""
    for part, after in zip(parts, [*parts[1:], ""], strict=True):
        match = _EPOCHS.fullmatch(part)
        number = (match[1] or after) if match else ""
        if number.isdigit() and int(number) >= 1 and draft.epochs_max is None:
            draft.epochs_max = int(number)
