"""Launches a sweep on a cluster and comes back to it: everything runs on the head, over the launcher's ssh."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuner.backend.ray_token import tighten_token
from tuner.base.errors import ServiceError, UsageError
from tuner.base.secrets import has_credentials, shipped
from tuner.base.user import LAUNCHED_BY, this_user
from tuner.cluster.head_shell import HeadShell
from tuner.cluster.job_shell import JobShell
from tuner.cluster.launched import FOLDER
from tuner.cluster.launcher_output import Said
from tuner.cluster.parcel import Parcel
from tuner.cluster.schema import one_line, read_cluster
from tuner.cluster.shared import driver_environment, file_mounts
from tuner.cluster.shipping import pack
from tuner.cluster.starting import TOKEN, missing_here
from tuner.inspection.provenance.git import launched_from
from tuner.spec import SweepSpec
from tuner.spec.reading import printable
from tuner.storage.commands import ASKED_BY

_STDERR = 2
_HEALTH_CHECK_S = 30


Head = HeadShell | JobShell


@dataclass(frozen=True)
class Submitted:
    """The driver of a sweep on the cluster."""

    sweep: str
    job: str
    attached: bool = False
    """It was already running."""
    goes_on: bool = False
    """It resumes a sweep that exists."""
    owner: str = ""
    """Who launched it, if it was already running."""


def bring_up(cluster_file: Path) -> HeadShell:
    """Starts a cluster unless it runs, and connects to its head.

    A running cluster is left as it is, even if its file has changed: the launcher would replace the head, and with it
    every sweep that runs there.

    Raises:
        UsageError: files that its nodes need are not on this machine; one line for each.
        ServiceError: it could not be started.
    """
    if (head := _running(cluster_file)) is not None:
        return head
    cluster = read_cluster(cluster_file)
    if missing := missing_here(cluster):
        raise UsageError("\n".join(f"{printable(str(cluster_file))}: {one_line(line)}" for line in missing))
    if source := file_mounts(cluster).get(TOKEN):
        tighten_token(Path(source).expanduser(), lambda text: print(text, file=sys.stderr))
    _ray("up", cluster_file, "it says more above")
    return HeadShell(cluster_file)


def _running(cluster_file: Path) -> HeadShell | None:
    """The head, if Ray answers there."""
    try:
        head = HeadShell(cluster_file)
    except ServiceError:
        return None
    asked = f"timeout {_HEALTH_CHECK_S} ray health-check"  # which waits for a lost head without end
    return head if head.run(asked).returncode == 0 else None


def bring_down(cluster_file: Path) -> None:
    """Shuts a cluster down.

    Raises:
        ServiceError: the launcher failed.
    """
    _ray("down", cluster_file, "look for machines left over")


def _ray(command: str, cluster_file: Path, hint: str) -> None:
    """Runs a command of Ray's launcher and passes its output on to people.

    With provider `local`, autoscaler v2 mistakes the head for a worker and leaves the last machine out (Ray 2.60).

    Raises:
        ServiceError: the command failed.
    """
    is_local = read_cluster(cluster_file)["provider"].get("type") == "local"
    options = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_UP_enable_autoscaler_v2": "0" if is_local else "1"}
    launcher = subprocess.Popen(
        [sys.executable, "-m", "ray.scripts.scripts", command, "--yes", str(cluster_file)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env={**options, **os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert launcher.stdout is not None
    said = Said()
    try:
        for line in launcher.stdout:
            if said.is_for_people(line):
                sys.stderr.write(line)
                sys.stderr.flush()
    except BaseException:  # after a signal to us alone it would go on starting machines
        launcher.terminate()
        launcher.wait()
        raise
    if (code := launcher.wait()) != 0:
        why = said.error or f"exit code {code}"
        raise ServiceError(f"{cluster_file}: `ray {command}` failed: {why}; {hint}")


def submit(head: HeadShell, spec: SweepSpec, or_resume: bool, parcel: Parcel | None = None) -> Submitted:
    """Ships a sweep and starts its driver, which outlives this process; or finds the driver that runs.

    Args:
        spec: with absolute paths and its storage.
        parcel: the user's files; by default the code of the trainable.

    Raises:
        UsageError: the user's files are too large to ship.
        ServiceError: the head refused.
    """
    incoming = f"{FOLDER}/{spec.name}/incoming-{uuid.uuid4().hex[:8]}"
    settings = shipped(os.environ)
    private = settings.plain | settings.secret | driver_environment(read_cluster(head.cluster_file))
    with tempfile.TemporaryDirectory() as folder:
        carried = {"TUNER_STORAGE": str(spec.storage), LAUNCHED_BY: this_user(), **launched_from(spec.trainable)}
        pack(spec, {**private, **carried}, Path(folder), parcel)
        _checked(head, head.run(f'mkdir -p "$HOME/{incoming}"'))
        head.copy(Path(folder), f"~/{incoming}")
    words = f'--incoming "$HOME/{incoming}"{" --or-resume" if or_resume else ""}'
    told = _asked(
        head,
        f"export {shlex.quote(f'{ASKED_BY}={head.option}')}; "
        f'PYTHONPATH="$HOME/{incoming}/project" "$python" -m tuner.cluster.jobs submit {spec.name} {words}',
    )
    return Submitted(spec.name, **told)


def resume(head: Head, sweep: str, arguments: Sequence[str]) -> Submitted:
    """Starts a driver that resumes a sweep launched before.

    Raises:
        UsageError: it was not launched here, its driver runs, or an argument holds a password.
        ServiceError: the head refused.
    """
    if any(map(has_credentials, arguments)):
        raise UsageError(
            "--set: holds a password, which the job's command would show; give it in the environment, and launch again"
        )
    rest = ["--", *arguments] if arguments else []
    return Submitted(sweep, goes_on=True, **_asked(head, _in_project(head, sweep, "jobs", ["resume", sweep, *rest])))


def follow(head: Head, sweep: str, job: str) -> int:
    """Prints the output of a job's driver on standard error until it ends; its exit code.

    Raises:
        ServiceError: the connection to the head was lost; the sweep continues.
    """
    return head.pass_on(_in_project(head, sweep, "jobs", ["follow", sweep, "--job", job]), to_people=True)


def works_for_others(head: Head, sweep: str) -> bool:
    """Whether other jobs run on the cluster."""
    return bool(_asked(head, _in_project(head, sweep, "jobs", ["others", sweep]))["others"])


def logs(head: Head, sweep: str, is_followed: bool) -> int:
    """Prints the log of a sweep's newest driver, and its further output if it is followed; an exit code."""
    return head.pass_on(_in_project(head, sweep, "jobs", ["follow" if is_followed else "logs", sweep]))


def tuner_there(head: Head, sweep: str, arguments: Sequence[str]) -> int:
    """Runs a `tuner` command on the head with the storage of the sweep, and passes its output on; its exit code."""
    columns = shutil.get_terminal_size((0, 0)).columns
    export = f"export COLUMNS={columns}; " if columns else ""
    return head.pass_on(export + _in_project(head, sweep, "launched", [sweep, *arguments]))


def _in_project(head: Head, sweep: str, module: str, arguments: Sequence[str]) -> str:
    """A script that runs one of our modules on the head, with the code that was launched there, and tells the module
    which option leads from here to the sweep."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", sweep):
        raise UsageError(f"{sweep!r} is not the name of a sweep: must be letters, digits, dots, dashes and underscores")
    absent = (
        f"sweep {sweep} was not launched on this cluster; to resume it from its storage: tuner launch SPEC --or-resume"
    )
    return (
        f'project="$HOME/{FOLDER}/{sweep}/project"; '
        f'[ -d "$project" ] || {{ echo {shlex.quote(absent)} >&2; exit 2; }}; '
        f"export {shlex.quote(f'{ASKED_BY}={head.option}')}; "
        f'PYTHONPATH="$project" exec "$python" -m tuner.cluster.{module} {shlex.join(arguments)}'
    )


def _asked(head: Head, script: str) -> Any:
    """The JSON that a script prints: its last line that is any, as a job server mixes warnings in."""
    lines = _checked(head, head.run(script)).splitlines()
    for line in reversed(lines):
        with contextlib.suppress(ValueError):
            if isinstance(data := json.loads(line), dict):
                return data
    raise ServiceError(f"the head of cluster {head.name}: its answer is no data: {' '.join(lines)[-300:] or 'nothing'}")


def _checked(head: Head, done: subprocess.CompletedProcess[str]) -> str:
    """A script's output.

    Raises:
        UsageError: the script says that the request is wrong.
        ServiceError: it failed for another reason.
    """
    if done.returncode == 0:
        return done.stdout
    last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
    if done.returncode == UsageError.exit_code:
        raise UsageError(last)
    raise ServiceError(f"the head of cluster {head.name}: {last}")
