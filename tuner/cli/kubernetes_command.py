"""kubernetes: a sweep as a RayJob of KubeRay."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tuner.base.errors import UsageError
from tuner.cli.output import Include, NewName, Overrides, SpecFile, SpecStorage, spec_path
from tuner.cli.pages import add

_MANIFEST, _JOB, _PODS = "Manifest", "Job", "Pods"
"""Groups of options on the help page."""

Apply = Annotated[
    bool, typer.Option("--apply", help="Apply it with kubectl, do not print it.", rich_help_panel=_MANIFEST)
]
Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE", help="Write it to FILE.", rich_help_panel=_MANIFEST),
]
Namespace = Annotated[
    str | None,
    typer.Option("--namespace", metavar="NAME", help="Namespace of the RayJob.", rich_help_panel=_JOB),
]
Queue = Annotated[
    str | None, typer.Option("--queue", metavar="NAME", help="Kueue LocalQueue to wait in.", rich_help_panel=_JOB)
]
Retries = Annotated[
    int,
    typer.Option("--retries", metavar="N", help="Retries of a failed job, on a new cluster.", rich_help_panel=_JOB),
]
Image = Annotated[
    str | None,
    typer.Option(
        "--image",
        metavar="IMAGE",
        help="Image of all pods, built from deploy/Dockerfile. [default: tuner:VERSION]",
        rich_help_panel=_PODS,
    ),
]
MinWorkers = Annotated[
    int, typer.Option("--min-workers", metavar="N", help="Fewest worker pods.", rich_help_panel=_PODS)
]
MaxWorkers = Annotated[
    int | None,
    typer.Option(
        "--max-workers",
        metavar="N",
        help="Most worker pods. [default: 8, or fewer for a small sweep]",
        rich_help_panel=_PODS,
    ),
]
TrialsPerWorker = Annotated[
    int | None,
    typer.Option(
        "--trials-per-worker",
        metavar="N",
        help="Trials in one pod. [default: as many as fit on a GPU, else 1]",
        rich_help_panel=_PODS,
    ),
]
Memory = Annotated[
    str | None,
    typer.Option(
        "--memory",
        metavar="SIZE",
        help="Memory of each trial. [default: from failures.worker_memory, else 4GiB]",
        rich_help_panel=_PODS,
    ),
]
ServiceAccount = Annotated[
    str | None,
    typer.Option("--service-account", metavar="NAME", help="Service account of the pods.", rich_help_panel=_PODS),
]
Secrets = Annotated[
    list[str] | None,
    typer.Option(
        "--secret",
        metavar="NAME",
        help="Secret whose keys become environment variables of the pods.",
        rich_help_panel=_PODS,
    ),
]
Volumes = Annotated[
    list[str] | None,
    typer.Option(
        "--volume",
        metavar="CLAIM:PATH",
        help="PersistentVolumeClaim to mount at PATH in all pods.",
        rich_help_panel=_PODS,
    ),
]

NodeSelectors = Annotated[
    list[str] | None,
    typer.Option(
        "--node-selector",
        metavar="KEY=VALUE",
        help="Label of the nodes; of one kind of pods: head:KEY=VALUE, worker:KEY=VALUE.",
        rich_help_panel=_PODS,
    ),
]
Tolerations = Annotated[
    list[str] | None,
    typer.Option(
        "--toleration",
        metavar="KEY[=VALUE][:EFFECT]",
        help="Taint that the pods tolerate; of one kind of pods as above.",
        rich_help_panel=_PODS,
    ),
]
Labels = Annotated[
    list[str] | None,
    typer.Option("--label", metavar="KEY=VALUE", help="Label of the job and its pods.", rich_help_panel=_PODS),
]
Annotations = Annotated[
    list[str] | None,
    typer.Option(
        "--annotation", metavar="KEY=VALUE", help="Annotation of the job and its pods.", rich_help_panel=_PODS
    ),
]
PriorityClass = Annotated[
    str | None,
    typer.Option("--priority-class", metavar="NAME", help="PriorityClass of the pods.", rich_help_panel=_PODS),
]
PullSecrets = Annotated[
    list[str] | None,
    typer.Option("--pull-secret", metavar="NAME", help="Secret to pull the image with.", rich_help_panel=_PODS),
]
PodTemplate = Annotated[
    Path | None,
    typer.Option(
        "--pod-template",
        metavar="FILE",
        help="Pod template in YAML, merged into ours; or one each below `head` and `worker`.",
        rich_help_panel=_PODS,
    ),
]


def kubernetes(
    spec: SpecFile,
    name: NewName = None,
    overrides: Overrides = None,
    storage: SpecStorage = None,
    include: Include = None,
    apply: Apply = False,
    output: Output = None,
    namespace: Namespace = None,
    queue: Queue = None,
    retries: Retries = 3,
    image: Image = None,
    min_workers: MinWorkers = 1,
    max_workers: MaxWorkers = None,
    trials_per_worker: TrialsPerWorker = None,
    memory: Memory = None,
    service_account: ServiceAccount = None,
    secrets: Secrets = None,
    volumes: Volumes = None,
    node_selectors: NodeSelectors = None,
    tolerations: Tolerations = None,
    labels: Labels = None,
    annotations: Annotations = None,
    priority_class: PriorityClass = None,
    pull_secrets: PullSecrets = None,
    pod_template: PodTemplate = None,
) -> None:
    """Run a sweep on Kubernetes as a KubeRay RayJob.

    Prints a RayJob and the ConfigMap with your spec and code, or applies them. The job starts the sweep, or resumes it
    if it exists in storage.
    """
    from tuner.cli.kubernetes_objects import checked, deliver
    from tuner.cluster.kubernetes.options import Options
    from tuner.cluster.kubernetes.pod_template import read_template

    options = Options(
        namespace=namespace,
        image=image,
        min_workers=min_workers,
        max_workers=max_workers,
        trials_per_worker=trials_per_worker,
        memory_bytes=_size_bytes(memory),
        retries=retries,
        queue=queue,
        service_account=service_account,
        secrets=tuple(secrets or ()),
        volumes=tuple(volumes or ()),
        node_selectors=tuple(node_selectors or ()),
        tolerations=tuple(tolerations or ()),
        labels=tuple(labels or ()),
        annotations=tuple(annotations or ()),
        priority_class=priority_class,
        pull_secrets=tuple(pull_secrets or ()),
        pod_template=read_template(pod_template) if pod_template is not None else {},
    )
    made = checked(spec_path(spec), overrides or [], name, storage, options, include or [])
    deliver(made, options, output, apply)


def register(app: typer.Typer) -> None:
    """Adds this file's commands."""
    add(
        app,
        kubernetes,
        """
        tuner kubernetes sweep.yaml > job.yaml
        tuner kubernetes sweep.yaml --image registry/tuner:1 --secret keys --apply
        tuner kubernetes sweep.yaml --storage /mnt/sweeps --volume claim:/mnt/sweeps
        """,
    )


def _size_bytes(written: str | None) -> float | None:
    """Raises UsageError: it is not a size, or too small for a trial."""
    from pydantic_core import PydanticCustomError

    from tuner.spec.fields import MIN_WORKER_BYTES, parse_size_bytes

    try:
        size_bytes = None if written is None else float(parse_size_bytes(written))
    except PydanticCustomError as error:
        raise UsageError(f"--memory: {error.message()}") from None
    if size_bytes is not None and size_bytes < MIN_WORKER_BYTES:
        raise UsageError(f"--memory: must be at least 1MiB, a size such as 6GiB, but got {written}")
    return size_bytes
