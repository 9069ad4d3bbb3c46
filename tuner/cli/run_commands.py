"""run, resume, record: the commands that train and record."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout
from functools import partial
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from tuner.api.running import as_interruption, check_accepted, check_recorded, resume_sweep_of, start_or_resume
from tuner.base.errors import (
    NoUsableTrialError,
    ServiceError,
    SpecError,
    SweepInterrupted,
)
from tuner.base.text import duration_text, metric_text, params_text
from tuner.cli.cluster_command import There, resume_there
from tuner.cli.display import Display
from tuner.cli.kubernetes_there import Pods
from tuner.cli.output import (
    Address,
    AnyAddress,
    AsJson,
    ChangedCode,
    ChangedData,
    ClusterFile,
    KubeNamespace,
    NewName,
    OnKubernetes,
    Overrides,
    SpecFile,
    SpecStorage,
    Storage,
    Strict,
    SweepName,
    harmless,
    people,
    print_json,
    spec_path,
)
from tuner.cli.pages import add
from tuner.storage import StorageRoot, SweepFolder, exists
from tuner.storage.commands import program, storage_option
from tuner.sweep import Sweep

if TYPE_CHECKING:
    from tuner.backend.ending import Ended
    from tuner.spec import SweepSpec


def run(
    spec: SpecFile,
    name: NewName = None,
    or_resume: Annotated[bool, typer.Option("--or-resume", help="Resume the sweep if it exists.")] = False,
    overrides: Overrides = None,
    with_changed_code: ChangedCode = False,
    with_changed_data: ChangedData = False,
    storage: SpecStorage = None,
    address: Address = None,
    strict: Strict = False,
    is_shipped: Annotated[bool, typer.Option("--shipped", hidden=True)] = False,
    as_json: AsJson = False,
) -> None:
    """Run a sweep to its end.

    Ctrl-C stops it after the running epochs, to be resumed; a second Ctrl-C stops it at once.
    """
    from tuner.inspection import load_checked
    from tuner.inspection.provenance import Accepted

    accepted = Accepted(with_changed_code, with_changed_data)
    check_accepted(accepted, or_resume)
    path = spec_path(spec)
    load = partial(load_checked, path, overrides or [], name, is_shipped=is_shipped)
    try:
        loaded = load()
    except SpecError:
        going_on = _going_on(load, storage) if or_resume else None
        if going_on is None:
            raise
        loaded = going_on
    root = StorageRoot.resolve(storage, loaded.storage)
    folder = root.sweep(loaded.name)

    with _json_at_the_end(folder, as_json, address) as say:
        with Display(folder, at_loss=say) as display:
            ended = start_or_resume(loaded, root, str(path), address, display, or_resume, accepted, strict)
        _tell_end(folder, ended)


def resume(
    sweep: SweepName,
    overrides: Overrides = None,
    num_trials: Annotated[
        int | None, typer.Option("--num-trials", metavar="N", help="Short for --set num_trials=N.")
    ] = None,
    with_changed_code: ChangedCode = False,
    with_changed_data: ChangedData = False,
    storage: Storage = None,
    address: AnyAddress = None,
    cluster: ClusterFile = None,
    kubernetes: OnKubernetes = False,
    namespace: KubeNamespace = None,
    as_json: AsJson = False,
) -> None:
    """Continue a sweep; budgets and ranges may change.

    Unfinished trials come first, from their last checkpoints. The number of trials, budgets, resources and ranges may
    change; what decided earlier trials, such as the objective, may not.
    """
    from tuner.inspection.provenance import Accepted
    from tuner.review.status import open_own_history
    from tuner.spec.changes import changes_from_overrides

    wanted = [*(overrides or []), *([f"num_trials={num_trials}"] if num_trials is not None else [])]
    job_server = address if cluster is not None or (address or "").startswith(("http://", "https://")) else None
    given = {"--with-changed-code": with_changed_code, "--with-changed-data": with_changed_data}
    options = [option for option, is_given in given.items() if is_given]
    if (pods := Pods.asked(kubernetes, namespace, cluster, address)) is not None:
        pods.resume(sweep, wanted, options)
        return
    if (there := There.asked(cluster, job_server)) is not None:
        raise typer.Exit(resume_there(there, sweep, wanted, {"--storage": storage, "--json": as_json}, options))
    known = open_own_history(StorageRoot.resolve(storage), sweep)
    folder, before = known.folder, known.sweep
    if before.ended is not None and before.ended.state == "finished" and not wanted:
        people.print(f"sweep {sweep} is finished: {before.ended.reason}")
    with _json_at_the_end(folder, as_json, address) as say:
        with Display(folder, at_loss=say) as display:
            ended = resume_sweep_of(
                folder,
                address,
                display,
                lambda found: changes_from_overrides(found.spec, wanted, found.num_counted),
                Accepted(with_changed_code, with_changed_data),
                known,
            )
        _tell_end(folder, ended)


def record(sweep: SweepName, storage: Storage = None) -> None:
    """Record in MLflow what an outage kept out of it.

    The journal has everything; recording again changes nothing that is there.
    """
    from tuner.recording import backlog
    from tuner.recording import record as record_all
    from tuner.review.status import open_own_sweep

    folder, folded = open_own_sweep(StorageRoot.resolve(storage), sweep)
    behind = backlog(folder, folded.num_events)
    with people.status("") if people.is_terminal else nullcontext() as line:
        record_all(
            folder,
            tell=lambda left: line.update(f"{left} events left") if line else None,
            tell_news=lambda news: people.print(harmless(news), style="yellow"),
        )
    people.print(f"sweep {sweep}: {behind} events were missing in MLflow; all {folded.num_events} are there now")


def register(app: typer.Typer) -> None:
    """Adds this file's commands."""
    add(
        app,
        run,
        """
        tuner run digits
        tuner run sweep.yaml --name second --set num_trials=64
        tuner run sweep.yaml --or-resume
        """,
    )
    add(
        app,
        resume,
        """
        tuner resume first
        tuner resume first --num-trials 128 --set budget.wall_time=4h
        tuner resume first --cluster cluster.yaml
        """,
    )
    add(
        app,
        record,
        """
        tuner record first
        """,
    )


def _going_on(load: Callable[..., SweepSpec], storage: str | None) -> SweepSpec | None:
    """The spec of an existing sweep, whose points may lie outside of narrowed ranges; None for a new sweep."""
    try:
        loaded = load(is_new=False)
    except SpecError:
        return None
    is_there = StorageRoot.resolve(storage, loaded.storage).sweep(loaded.name).exists()
    return loaded if is_there else None


@contextmanager
def _json_at_the_end(folder: SweepFolder, as_json: bool, address: str | None) -> Iterator[Callable[[], None]]:
    """Prints the state of the sweep once its driver has ended, in whatever way; gives the function that prints it.

    Until then whatever else is printed, by Ray or a trainable, is for people.
    """
    say = partial(_say, folder, as_json, sys.stdout)
    try:
        with as_interruption(folder, address), redirect_stdout(sys.stderr):
            yield say
    except (SweepInterrupted, NoUsableTrialError, ServiceError):
        say()
        raise
    say()


def _say(folder: SweepFolder, as_json: bool, out: TextIO) -> None:
    """Prints the state of the sweep for `--json`, if there is a sweep."""
    from tuner.review import status

    if as_json and folder.exists():
        print_json(status.show(*status.open_sweep(folder.root, folder.name)), out)


def _tell_end(folder: SweepFolder, ended: Ended) -> None:
    _tell_people(folder, ended.sweep)
    check_recorded(folder, ended)


def _tell_people(folder: SweepFolder, sweep: Sweep) -> None:
    best, where = sweep.best, storage_option(folder.root)
    counts = ", ".join(f"{count} {outcome}" for outcome, count in sweep.outcomes().items() if count)
    rows = [("trials", counts or "none yet")]
    if best is not None:
        test = "".join(
            f", {name} {metric_text(value)}" for name, value in best.test_metrics.items() if value is not None
        )
        rows.append(("best", f"trial {best.number}, epoch {best.best_epoch}: {params_text(best.params)}"))
        rows.append(("value", f"{sweep.metric} {metric_text(best.best_value)}{test}"))
    rows += [("sweep", str(folder.path))]
    rows += [("report", str(folder.report))] if exists(folder.report) else []
    rows += [("in MLflow", f"{program()} ui{where}")]
    if sweep.ended is not None:
        took = f"{sweep.num_epochs} epochs in {duration_text(sweep.wall_s)}"
        people.print(f"\n{sweep.name}: {harmless(sweep.ended.reason)}, {took}", style="bold")
        if sweep.ended.state == "paused":
            rows.append(("go on", f"{program()} resume {sweep.name}{where} --set budget.…=…"))
    for name, text in rows:
        people.print(f"  {name:12} {text}")
