"""check, schema, trainables: what a sweep would do, and what specs may hold."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from tuner.api.checking import check_spec, findings
from tuner.base.errors import UsageError
from tuner.base.text import bytes_text, params_text
from tuner.cli.completion import specs
from tuner.cli.output import Address, AsJson, Include, Overrides, SpecStorage, Strict, print_json, spec_path
from tuner.cli.pages import add
from tuner.cli.tables import tables
from tuner.spec.space import AnyParameter, Choice, Constant, Int, Repeated, conditions_text, number_text, shown

if TYPE_CHECKING:
    from tuner.cluster.parcel import Parcel


def check(
    spec: Annotated[
        str | None,
        typer.Argument(
            metavar="[SPEC]",
            help="A YAML file, or the name of a trainable that comes with Tuner.",
            autocompletion=specs,
        ),
    ] = None,
    overrides: Overrides = None,
    storage: SpecStorage = None,
    address: Address = None,
    cluster: Annotated[
        str | None,
        typer.Option("--cluster", metavar="FILE", help="Ray cluster launcher file to check, with the spec or alone."),
    ] = None,
    include: Include = None,
    strict: Strict = False,
    as_json: AsJson = False,
) -> None:
    """Check a spec or a cluster file before anything runs.

    Reports all problems at once. Shows the space, ten sample configurations, the number of trials that run at the same
    time, and the epochs to expect. Contacts neither storage nor MLflow.
    """
    if spec is None and cluster is None:
        raise UsageError("check: give a SPEC, --cluster FILE, or both")
    if address is not None and cluster is not None:
        raise UsageError("check: give --address of a cluster that runs, or the --cluster file of one, but not both")
    if spec is None:
        _check_cluster(
            Path(str(cluster)),
            {"--set": overrides, "--storage": storage, "--strict": strict, "--include": include},
            as_json,
        )
    elif cluster is None:
        if include:
            raise UsageError("check: --include has no meaning without --cluster FILE")
        _check_spec(spec_path(spec), overrides or [], storage, address, strict, as_json)
    else:
        _check_both(spec_path(spec), overrides or [], storage, Path(cluster), include or [], strict, as_json)


def _check_spec(
    path: Path, overrides: list[str], storage: str | None, address: str | None, strict: bool, as_json: bool
) -> None:
    from tuner.inspection import load_checked

    loaded = load_checked(path, overrides)
    if storage is not None:
        loaded = loaded.model_copy(update={"storage": storage})
    resolved, data = check_spec(loaded, str(path), address, is_strict=strict)
    print_json(data) if as_json else _tell(str(path), data, resolved, "what is here")


def _check_both(
    path: Path,
    overrides: list[str],
    storage: str | None,
    cluster: Path,
    include: list[str],
    strict: bool,
    as_json: bool,
) -> None:
    from tuner.cluster.check import judge

    judged = judge(path, overrides, None, storage, cluster, include)
    resolved = judged.inspected.strictly(strict).resolve(judged.spec, str(path))
    found = judged.cluster
    data = findings(resolved, judged.inspected, found.slots, found.warnings)
    data["cluster"] = {"file": found.file, "max_nodes": found.max_nodes, "slots": found.slots}
    data |= judged.parcel.as_data()
    if as_json:
        print_json(data)
        return
    _tell(str(path), data, resolved, f"the {found.max_nodes} nodes, at most, of {found.file}")
    _tell_parcel(judged.parcel)


def _check_cluster(path: Path, not_alone: dict[str, Any], as_json: bool) -> None:
    from tuner.cluster.check import check_cluster

    if given := [option for option, value in not_alone.items() if value]:
        raise UsageError(f"check: {given[0]} has no meaning without a SPEC")
    found = check_cluster(path)
    if found.problems:
        raise UsageError("\n".join(found.problems))
    if as_json:
        print_json({"cluster": {"file": found.file, "max_nodes": found.max_nodes}, "warnings": found.warnings})
        return
    tables.print(f"[bold]{escape(found.file)}[/bold] is a valid cluster file: {found.max_nodes} nodes at most")
    _tell_warnings(found.warnings)


def schema() -> None:
    """Print the JSON schema of specs, for editors."""
    from tuner.spec.models import json_schema

    print_json(json_schema())


def trainables(as_json: AsJson = False) -> None:
    """List the trainables that come with Tuner.

    Shows their parameters, defaults and default sweeps.
    """
    from trainables import TrainingParams, registry

    rows = [_about(registry.load(name), name, registry.default_sweep(name)) for name in registry.names()]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        tables.print(f"[bold]{row['name']}[/bold]  {escape(row['about'])}")
        tables.print(
            f"  parameters     {params_text({key: row['params'][key] for key in row['own_params']})}", markup=False
        )
        tables.print(f"  data           {row['data']}", markup=False)
        tables.print(f"  default sweep  {row['default_sweep']}", markup=False)
    first = ("learning_rate", "batch_size", "epochs", "optimizer")
    tables.print(
        f"All have         {', '.join([*first, *(key for key in TrainingParams.model_fields if key not in first)])}",
        markup=False,
    )


def _about(trainable: Any, name: str, default_sweep: Path) -> dict[str, Any]:
    """What is said of a shipped trainable; its class and its default sweep say it."""
    from trainables import TrainingParams
    from tuner.spec.reading import parsed_yaml

    defaults = {key: info.default for key, info in trainable.Params.model_fields.items()}
    data = parsed_yaml(default_sweep.read_text(encoding="utf-8"), default_sweep.name).get("data")
    return {
        "name": name,
        "about": (trainable.__doc__ or "").strip().splitlines()[0],
        "params": defaults,
        "own_params": [key for key in defaults if key not in TrainingParams.model_fields],
        "takes_data": trainable.takes_data,
        "data": f"your own; {data} in the default sweep" if trainable.takes_data else "its own",
        "default_sweep": str(default_sweep),
    }


def register(app: typer.Typer) -> None:
    """Adds this file's commands."""
    add(
        app,
        check,
        """
        tuner check sweep.yaml
        tuner check sweep.yaml --cluster cluster.yaml
        tuner check --cluster cluster.yaml
        """,
    )
    add(
        app,
        schema,
        """
        tuner schema > sweep.schema.json
        """,
    )
    add(
        app,
        trainables,
        """
        tuner trainables
        tuner run mnist-dense
        """,
    )


def _tell(path: str, data: dict[str, Any], spec: Any, where: str) -> None:
    from tuner.inspection.describing import data_text
    from tuner.spec import dump_yaml

    out = tables.print
    out(f"[bold]{escape(path)}[/bold] is a valid spec\n")
    out(dump_yaml(data["spec"]), markup=False)
    out("[bold]space[/bold]")
    for name, parameter in spec.space.items():
        conditions = conditions_text(parameter, dict(spec.space.items()))
        when = f", when {conditions}" if conditions else ""
        out(f"  {name:20} {describe(parameter)}{when}", markup=False)
    out(f"\n[bold]{len(data['samples'])} sample configurations[/bold]")
    for params in data["samples"]:
        out(f"  {params_text(params)}", markup=False)
    epochs = data["epochs"]
    slots = "an unknown number" if data["slots"] is None else data["slots"]
    out(f"\n  trials   {data['num_trials']}, {slots} at the same time on {where}", markup=False)
    out(f"  epochs   {epochs['without_early_stopping']} without early stopping", end="")
    out(f", about {epochs['with_early_stopping']} with it" if spec.early_stopping.algorithm != "none" else "")
    if data["path"] != "script":
        each = f" in each of {data['folds']} folds" if data["folds"] else ""
        out(f"  data     {data['training_examples'] or 'an unknown number of'} training examples{each}")
        if text := data_text(data["data"]):
            out(f"           {text}", markup=False)
        out(f"  metrics  {', '.join(data['metrics'])}", markup=False)
    if data["path"]:
        out(f"  path     {data['path']}: {data['path_reason']}", markup=False)
    _tell_warnings(data["warnings"])


def _tell_parcel(parcel: Parcel) -> None:
    if not parcel.files:
        return
    tables.print(f"\n[bold]ships {len(parcel.files)} files[/bold], {bytes_text(parcel.size_bytes)}")
    for name, path in sorted(parcel.files.items()):
        tables.print(f"  {name:40} {bytes_text(path.stat().st_size)}", markup=False)
    if parcel.left_out:
        tables.print("[bold]leaves out[/bold]")
    for name, why in parcel.left_out.items():
        tables.print(f"  {name:40} {why}", markup=False)


def _tell_warnings(warnings: list[str]) -> None:
    for warning in warnings:
        tables.print(f"  [yellow]warning[/yellow]  {escape(warning)}")
    sys.stdout.flush()


def describe(parameter: AnyParameter) -> str:
    """A parameter in words: 0.0001 to 0.1 (log)."""
    if isinstance(parameter, Repeated):
        is_fixed = isinstance(parameter.repeat, int)
        count = f"{parameter.repeat} values" if is_fixed else f"as many values as {parameter.repeat} says"
        text = f"a list of {count}, each {describe(parameter.element)}"
    elif isinstance(parameter, Constant):
        text = f"always {shown(parameter.value)}"
    elif isinstance(parameter, Choice):
        text = "one of " + ", ".join(map(shown, parameter.choices))
    else:
        text = f"{number_text(parameter.low)} to {number_text(parameter.high)}"
        details = ["log"] if parameter.scale == "log" else []
        if isinstance(parameter, Int) and parameter.step in (None, 1) and parameter.num is None:
            details.append("whole numbers")
        if parameter.step is not None and parameter.step != 1:
            details.append(f"step {number_text(parameter.step)}")
        if parameter.num is not None:
            details.append(f"{parameter.num} values")
        text += f" ({', '.join(details)})" if details else ""
    return text
