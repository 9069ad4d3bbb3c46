"""A sweep's Kubernetes objects, printed, written to a file or applied."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tuner.base.errors import SpecError, UsageError
from tuner.base.user import LAUNCHED_BY, this_user
from tuner.cli.output import people, print_data
from tuner.spec.reading import printable
from tuner.storage import StorageRoot
from tuner.storage.commands import program

if TYPE_CHECKING:
    from tuner.cluster.kubernetes.kubectl import Applied
    from tuner.cluster.kubernetes.options import Options
    from tuner.cluster.parcel import Parcel
    from tuner.spec import SweepSpec


class Made(NamedTuple):
    """A sweep that fits the pods, and the user's files that travel with it."""

    spec: SweepSpec
    parcel: Parcel
    warnings: list[str]


def checked(
    path: Path,
    overrides: Sequence[str],
    name: str | None,
    storage: str | None,
    options: Options,
    include: Sequence[str] = (),
) -> Made:
    """The spec with its storage, checked against its trainable and against what the pods share.

    The trainable is tried here where its data are at hand: only the pods may be able to read them.

    Raises:
        SpecError: the spec is wrong; one line for each problem.
        UsageError: an option is wrong, or the file cannot be read.
    """
    from tuner.cluster.check import looked_at
    from tuner.cluster.travelling import left_behind_warnings, opened_problems, package_problems, package_warnings
    from tuner.inspection import load_checked

    if wrong := options.problems():
        raise UsageError("\n".join(wrong))
    spec = load_checked(path, overrides, name, is_for_elsewhere=True)
    spec = spec.model_copy(update={"storage": StorageRoot.resolve(storage, spec.storage).url})
    inspected, parcel = looked_at(spec, path, include)
    opened = opened_problems(spec, parcel, inspected.opened, options.claims())
    if problems := [*inspected.problems, *package_problems(spec), *opened, *_misfits(spec, options)]:
        raise SpecError(printable(str(path)), problems)
    warnings = [*left_behind_warnings(parcel), *package_warnings(spec, "the image"), *_untold(spec, options)]
    return Made(spec, parcel, warnings)


def _untold(spec: SweepSpec, options: Options) -> list[str]:
    """A bucket without keys, and a tracking store without a place for artifacts."""
    from tuner.spec.sharing import artifact_warning, storage_warning

    keys = "" if options.has_keys else storage_warning(spec, "the pods", "--secret NAME or --service-account NAME")
    return [line for line in (keys, artifact_warning(spec.tracking.uri, spec.storage, 2)) if line]


def _misfits(spec: SweepSpec, options: Options) -> list[str]:
    """Paths and stores that the pods would not share, and GPUs that would stay idle; one line each."""
    from tuner.cluster.capacity import idle_card_problems
    from tuner.cluster.kubernetes.sizing import WorkerPod
    from tuner.spec.sharing import sharing_problems

    num_pods = 1 + WorkerPod.of(spec, options).max_pods
    shared = sharing_problems(spec, num_pods, options.claims(), are_pods=True)
    return [*idle_card_problems(spec), *shared]


def deliver(made: Made, options: Options, output: Path | None, is_applied: bool) -> None:
    """Prints a sweep's objects, writes them to a file or applies them.

    Raises:
        UsageError: the user's code cannot be shipped.
        ServiceError: the cluster refused the objects.
    """
    from tuner.base.secrets import shipped
    from tuner.cluster.kubernetes.documents import to_yaml
    from tuner.cluster.kubernetes.job import manifest
    from tuner.cluster.kubernetes.kubectl import apply
    from tuner.spec.uris import is_of_this_machine

    spec, environment = made.spec, shipped(os.environ)
    objects = manifest(spec, options, {**environment.plain, LAUNCHED_BY: this_user()}, made.parcel)
    text = to_yaml(objects)
    if output is not None:
        _write(output, text)
    elif not is_applied:
        print_data(text)
    for line in made.parcel.told():
        people.print(line)
    for address in (str(spec.tracking.uri), *environment.plain.values()):
        if is_of_this_machine(address):
            people.print(f"warning: {address} is the pod itself once the sweep runs there", style="yellow")
    if spec.requirements:
        packages = " ".join(spec.requirements)
        people.print(f"requirements: the image must have them: --build-arg REQUIREMENTS={shlex.quote(packages)}")
    _tell_needs(options, objects, environment.secret)
    for warning in made.warnings:
        people.print(f"warning: {warning}", style="yellow")
    if is_applied:
        _tell_way_back(spec, objects, apply(objects))


def _write(output: Path, text: str) -> None:
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--output {output}: cannot be written: {error.strerror or error}") from None


def _tell_needs(options: Options, objects: Sequence[Mapping[str, object]], secret: Mapping[str, str]) -> None:
    """Tells what the cluster must have besides the manifest."""
    from tuner.cluster.kubernetes.options import default_image

    text = str(objects)
    for image in (default_image(False), default_image(True)):
        if options.image is None and f"'{image}'" in text:
            people.print(f"image {image}: build it as `tuner help clusters` says, or name yours with --image")
    if secret and not options.secrets:
        literals = " ".join(f'--from-literal={name}="${name}"' for name in sorted(secret))
        people.print(
            f"secrets, so not in the manifest: {', '.join(sorted(secret))}. If the pods need them:\n"
            f"  kubectl create secret generic sweep-secrets {literals}\n"
            f"  and add --secret sweep-secrets",
            style="yellow",
        )


def _tell_way_back(spec: SweepSpec, objects: Sequence[Mapping[str, object]], applied: Applied) -> None:
    metadata = objects[-1]["metadata"]
    assert isinstance(metadata, dict)
    name = metadata["name"]
    where = f" --namespace {metadata['namespace']}" if "namespace" in metadata else ""
    people.print(f"sweep {spec.name} {applied} on Kubernetes as RayJob {name}", style="bold")
    storage = shlex.quote(str(spec.storage))
    for command in (
        f"{program()} show {spec.name} --kubernetes{where}",
        f"{program()} logs {spec.name} --follow --kubernetes{where}",
        f"{program()} stop {spec.name} --kubernetes{where}",
        f"kubectl get rayjob {name}{where}",
        f"kubectl logs --follow job/{name}{where}",
        f"{program()} show {spec.name} --storage {storage}",
        f"kubectl delete rayjob,configmap {name}{where}",
    ):
        people.print(f"  {command}")
    if applied == "runs already":
        people.print("  it was left as it is; to change it, delete the RayJob first and apply it again")
