"""launch: a sweep on a cluster of one's own, from a laptop."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from tuner.base.errors import ServiceError, SweepInterrupted, UsageError
from tuner.cli.cluster_command import cluster_path, watch
from tuner.cli.output import Overrides, SpecFile, Storage, people, spec_path


def launch(
    spec: SpecFile,
    cluster: Annotated[
        str | None, typer.Option("--cluster", metavar="FILE", help="A Ray cluster launcher file.", show_default=False)
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="The sweep's name, instead of the spec's.")] = None,
    or_resume: Annotated[bool, typer.Option("--or-resume", help="Go on with the sweep if storage has it.")] = False,
    overrides: Overrides = None,
    storage: Storage = None,
    down_when_done: Annotated[
        bool, typer.Option("--down-when-done", help="Release the cluster once the sweep's driver has ended.")
    ] = False,
    kubernetes: Annotated[
        bool, typer.Option("--kubernetes", help="Print a KubeRay RayJob, which starts the sweep or goes on with it.")
    ] = False,
    apply: Annotated[bool, typer.Option("--apply", help="Apply the RayJob with kubectl.")] = False,
    output: Annotated[Path | None, typer.Option("--output", help="Write the manifest to this file.")] = None,
    namespace: Annotated[str | None, typer.Option("--namespace", help="The RayJob's namespace.")] = None,
    image: Annotated[
        str | None, typer.Option("--image", help="The pods' image, made by deploy/Dockerfile. [default: tuner:VERSION]")
    ] = None,
    min_workers: Annotated[int | None, typer.Option("--min-workers", help="Worker pods at least. [default: 1]")] = None,
    max_workers: Annotated[int | None, typer.Option("--max-workers", help="Worker pods at most. [default: 8]")] = None,
    trials_per_worker: Annotated[
        int | None,
        typer.Option("--trials-per-worker", help="Trials in a pod. [default: what one card holds, on CPUs 1]"),
    ] = None,
    memory: Annotated[
        str | None,
        typer.Option(
            "--memory", metavar="SIZE", help="Memory of each trial. [default: as failures.worker_memory says, or 4GiB]"
        ),
    ] = None,
    retries: Annotated[
        int | None, typer.Option("--retries", help="How often a failed job gets a new cluster. [default: 3]")
    ] = None,
    queue: Annotated[str | None, typer.Option("--queue", help="The Kueue LocalQueue in which the job waits.")] = None,
    service_account: Annotated[str | None, typer.Option("--service-account", help="The pods' service account.")] = None,
    secrets: Annotated[
        list[str] | None,
        typer.Option("--secret", metavar="NAME", help="A Secret whose keys become the pods' environment variables."),
    ] = None,
    volumes: Annotated[
        list[str] | None,
        typer.Option("--volume", metavar="CLAIM:PATH", help="A PersistentVolumeClaim that all pods share."),
    ] = None,
) -> None:
    """Launch a sweep on a cluster; it goes on when you leave, and a second launch goes on with it."""
    asked = {
        "--output": output, "--namespace": namespace, "--image": image, "--min-workers": min_workers,
        "--max-workers": max_workers, "--trials-per-worker": trials_per_worker, "--memory": memory,
        "--retries": retries, "--queue": queue, "--service-account": service_account, "--secret": secrets,
        "--volume": volumes, "--apply": apply or None,
    }  # fmt: skip
    _check_target(cluster, kubernetes, asked, down_when_done)
    if cluster is not None:
        raise typer.Exit(_launch_with_ray(cluster, spec, overrides or [], name, storage, or_resume, down_when_done))

    from tuner.cli.kubernetes_command import checked, launch_there
    from tuner.cluster.kubernetes.options import Options

    options = Options(
        namespace=namespace,
        image=image,
        min_workers=1 if min_workers is None else min_workers,
        max_workers=max_workers,
        trials_per_worker=trials_per_worker,
        memory_bytes=_size_bytes(memory),
        retries=Options.retries if retries is None else retries,
        queue=queue,
        service_account=service_account,
        secrets=tuple(secrets or ()),
        volumes=tuple(volumes or ()),
    )
    launch_there(checked(spec_path(spec), overrides or [], name, storage, options), options, output, apply)


def _check_target(cluster: str | None, kubernetes: bool, asked: Mapping[str, object], down_when_done: bool) -> None:
    """Refuses options that have no meaning where the sweep goes.

    Raises:
        UsageError: one line for each.
    """
    if (cluster is None) == (not kubernetes):
        raise UsageError("launch: needs --cluster FILE, for a cluster of Ray's launcher, or --kubernetes; one of them")
    wrong = [f"{option}: only with --kubernetes" for option, value in asked.items() if value is not None and cluster]
    if down_when_done and kubernetes:
        wrong.append("--down-when-done: only with --cluster; a RayJob's cluster always ends with it")
    if wrong:
        raise UsageError("\n".join(wrong))


def _size_bytes(written: str | None) -> float | None:
    """Raises UsageError: it is no size, or too small for a trial."""
    from pydantic_core import PydanticCustomError

    from tuner.spec.fields import MIN_WORKER_BYTES, parse_size_bytes

    try:
        size_bytes = None if written is None else float(parse_size_bytes(written))
    except PydanticCustomError as error:
        raise UsageError(f"--memory: {error.message()}") from None
    if size_bytes is not None and size_bytes < MIN_WORKER_BYTES:
        raise UsageError(f"--memory: must be at least 1MiB, a size such as 6GiB, but got {written}")
    return size_bytes


def _launch_with_ray(
    cluster: str,
    spec: str,
    overrides: list[str],
    name: str | None,
    storage: str | None,
    or_resume: bool,
    down_when_done: bool,
) -> int:
    """Launches with Ray's own launcher and watches; the driver's exit code."""
    from tuner.cluster.check import judge
    from tuner.cluster.launch import bring_down, bring_up, submit, works_for_others

    file = cluster_path(cluster)
    judged = judge(spec_path(spec), overrides, name, storage, file)
    checked = judged.spec
    for warning in judged.cluster.warnings:
        people.print(f"warning: {warning}", style="yellow")
    if os.environ.get("AWS_SESSION_TOKEN"):
        people.print(
            "warning: temporary AWS keys go along, and the sweep stops when they end; a role of the nodes has no end",
            style="yellow",
        )
    try:
        head = bring_up(file)
        submitted = submit(head, checked, or_resume)
    except KeyboardInterrupt:
        raise SweepInterrupted(
            f"left before sweep {checked.name} was known to run on the cluster of {cluster}, which may be half up:"
            f" launch again and it goes on, or `ray down {shlex.quote(cluster)}` gives its machines back"
        ) from None
    code = watch(head, submitted)
    if down_when_done:
        try:
            is_shared = works_for_others(head, checked.name)
        except ServiceError as error:
            way_on = f"its machines were not given back: `ray down {shlex.quote(cluster)}` does that"
            raise ServiceError(f"{error}; {way_on}") from error
        if is_shared:
            people.print(f"cluster {head.name} works for others too, so it stays up", style="yellow")
        else:
            bring_down(file)
    return code


def register(app: typer.Typer) -> None:
    """Adds this file's commands."""
    app.command()(launch)
