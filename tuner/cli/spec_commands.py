"""check, schema, trainables: what a sweep would do, before anything runs."""

from __future__ import annotations

import sys
from typing import Any

import typer
from rich.markup import escape

from tuner.cli.output import Address, AsJson, Overrides, SpecFile, Storage, params_text, print_json, spec_path
from tuner.cli.read_commands import tables
from tuner.space import Choice, Constant, Float, Int, plain


def check(
    spec: SpecFile,
    overrides: Overrides = None,
    storage: Storage = None,
    address: Address = None,
    as_json: AsJson = False,
) -> None:
    """Check a spec and show what it would do; touches neither storage nor tracking."""
    from tuner.engine.resources import Slot, nodes_of
    from tuner.inspection import Inspection, load_checked
    from tuner.preview import preview

    path = spec_path(spec)
    loaded = load_checked(path, overrides or [])
    if storage is not None:
        loaded = loaded.model_copy(update={"storage": storage})
    inspected = Inspection(loaded).result()
    resolved = inspected.resolve(loaded, str(path))
    slots = Slot.of(resolved.resources).count(nodes_of(address))
    found = preview(resolved, inspected.num_train)
    warnings = list(found.warnings)
    if not slots:
        warnings.append("resources: no node has room for one trial")
    data = {
        "spec": resolved.resolved(),
        "samples": found.samples,
        "slots": slots,
        "num_trials": found.num_trials,
        "epochs": {"without_early_stopping": found.epochs_full, "with_early_stopping": found.epochs_expected},
        "training_examples": inspected.num_train,
        "metrics": inspected.metrics,
        "warnings": warnings,
    }
    print_json(data) if as_json else _tell(str(path), data, resolved)


def schema() -> None:
    """Print the JSON schema of specs, for editors."""
    from tuner.spec.models import json_schema

    print_json(json_schema())


def trainables(as_json: AsJson = False) -> None:
    """List the shipped trainables, their parameters and default sweeps."""
    from trainables import registry

    rows = []
    for name in registry.names():
        trainable = registry.load(name)
        defaults = {key: info.default for key, info in trainable.Params.model_fields.items()}
        about = (trainable.__doc__ or "").strip().splitlines()[0]
        rows.append(
            {"name": name, "about": about, "params": defaults, "default_sweep": str(registry.default_sweep(name))}
        )
    if as_json:
        print_json(rows)
        return
    for row in rows:
        tables.print(f"[bold]{row['name']}[/bold]  {escape(str(row['about']))}")
        tables.print(f"  parameters     {params_text(row['params'])}", markup=False)  # type: ignore[arg-type]
        tables.print(f"  default sweep  {row['default_sweep']}", markup=False)


def register(app: typer.Typer) -> None:
    """Adds this file's commands."""
    for command in (check, schema, trainables):
        app.command()(command)


def _tell(path: str, data: dict[str, Any], spec: Any) -> None:
    from tuner.spec import dump_yaml

    out = tables.print
    out(f"[bold]{escape(path)}[/bold] is a valid spec\n")
    out(dump_yaml(data["spec"]), markup=False)
    out("[bold]space[/bold]")
    for name, parameter in spec.space.items():
        out(f"  {name:20} {describe(parameter)}", markup=False)
    out(f"\n[bold]{len(data['samples'])} sample configurations[/bold]")
    for params in data["samples"]:
        out(f"  {params_text(params)}", markup=False)
    epochs = data["epochs"]
    out(f"\n  trials   {data['num_trials']}, {data['slots']} at the same time on what is here")
    out(f"  epochs   {epochs['without_early_stopping']} without early stopping", end="")
    out(f", about {epochs['with_early_stopping']} with it" if spec.early_stopping.algorithm != "none" else "")
    out(f"  data     {data['training_examples'] or 'an unknown number of'} training examples")
    for warning in data["warnings"]:
        out(f"  [yellow]warning[/yellow]  {escape(warning)}")
    sys.stdout.flush()


def describe(parameter: Float | Int | Choice | Constant) -> str:
    """A parameter in words: 0.0001 to 0.1 (log)."""
    if isinstance(parameter, Constant):
        text = f"always {parameter.value!r}"
    elif isinstance(parameter, Choice):
        text = "one of " + ", ".join(repr(choice) for choice in parameter.choices)
    else:
        text = f"{plain(parameter.low)} to {plain(parameter.high)}"
        details = ["log"] if parameter.scale == "log" else []
        if parameter.step is not None and parameter.step != 1:
            details.append(f"step {plain(parameter.step)}")
        if parameter.num is not None:
            details.append(f"{parameter.num} values")
        text += f" ({', '.join(details)})" if details else ""
    conditions = ", ".join(f"{name} is {value}" for name, value in (parameter.when or {}).items())
    return f"{text}, when {conditions}" if conditions else text
