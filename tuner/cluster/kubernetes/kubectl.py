"""Applies the objects of a sweep with the user's kubectl, which knows the cluster and how to sign in."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from typing import Any, Literal

from tuner.base.errors import NameTakenError, ServiceError, UsageError
from tuner.base.user import are_others
from tuner.cluster.kubernetes.documents import to_yaml

ENDED = ("Complete", "Failed", "ValidationFailed")
USER = "tuner.user"
"""The annotation with NAME@HOST of whoever launched the sweep."""
_DELETE_TIMEOUT = "--timeout=120s"
_ANSWER_S = 180.0
"""kubectl itself waits without end for an API server that hangs."""

Applied = Literal["runs already", "goes on", "is submitted"]


def apply(objects: Sequence[dict[str, Any]]) -> Applied:
    """Brings a ConfigMap and its RayJob into the cluster.

    A job that has not ended is left as it is. One that has ended is replaced by a new one, which resumes the sweep.

    Raises:
        UsageError: there is no kubectl, or a colleague has a job of this name.
        ServiceError: the cluster refused them, or did not answer.
    """
    metadata = objects[-1]["metadata"]
    where = [f"--namespace={metadata['namespace']}"] if "namespace" in metadata else []
    job = f"rayjobs.ray.io/{metadata['name']}"
    there = kubectl(["get", job, *where, "--ignore-not-found", "--output=json"])
    if there.strip():
        owner = (json.loads(there)["metadata"].get("annotations") or {}).get(USER, "")
        if are_others(owner, (metadata.get("annotations") or {}).get(USER, "")):
            raise NameTakenError(f"RayJob {metadata['name']} is {owner}'s: choose another name for the sweep (--name)")
        status = json.loads(there).get("status") or {}
        if status.get("jobDeploymentStatus") not in ENDED:
            return "runs already"
        kubectl(["delete", job, *where, "--wait", _DELETE_TIMEOUT])
    # Server-side: a client-side apply copies the object into an annotation, which is limited to 256 KiB.
    kubectl(["apply", "--server-side", "--force-conflicts", *where, "--filename=-"], to_yaml(objects))
    return "goes on" if there.strip() else "is submitted"


def kubectl(arguments: Sequence[str], text: str | None = None) -> str:
    """What a kubectl command prints.

    Raises:
        UsageError: there is no kubectl.
        ServiceError: it failed, or the cluster did not answer.
    """
    try:
        done = subprocess.run(
            ["kubectl", *arguments], input=text, capture_output=True, text=True, encoding="utf-8", timeout=_ANSWER_S
        )
    except subprocess.TimeoutExpired:
        way_on = "launch again once it answers: a job that runs is left as it is"
        raise ServiceError(f"kubectl {arguments[0]}: no answer within {_ANSWER_S:g} s; {way_on}") from None
    except FileNotFoundError:
        raise UsageError(
            "--apply: kubectl must be on the PATH; or print the manifest, and apply it elsewhere"
        ) from None
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise ServiceError(f"kubectl {arguments[0]}: {last}")
    return done.stdout
