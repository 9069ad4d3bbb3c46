"""A sweep's RayJob as it is in a cluster now, and the way to its job server, both by the user's kubectl."""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
import select
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tuner.base.errors import ServiceError
from tuner.cluster.job_shell import JobShell
from tuner.cluster.kubernetes.kubectl import ENDED, kubectl
from tuner.cluster.kubernetes.options import job_name

STORAGE = "tuner.storage"
"""The annotation with the storage root of the sweep."""
JOB_SERVER_PORT = 8265
_FORWARDED = re.compile(rb"Forwarding from 127\.0\.0\.1:(\d+)")
_FORWARDS_WITHIN_S = 60.0


@dataclass(frozen=True)
class RunningJob:
    """A RayJob as the API server has it."""

    sweep: str
    namespace: str | None
    found: Mapping[str, Any] = field(repr=False)

    @classmethod
    def find(cls, sweep: str, namespace: str | None) -> RunningJob | None:
        """The RayJob of a sweep; None if there is none.

        Raises:
            UsageError: there is no kubectl.
            ServiceError: the cluster refused, or did not answer.
        """
        job = f"rayjobs.ray.io/{job_name(sweep)}"
        text = kubectl(["get", job, *_in(namespace), "--ignore-not-found", "--output=json"])
        return cls(sweep, namespace, json.loads(text)) if text.strip() else None

    @property
    def where(self) -> list[str]:
        """The options that lead kubectl to its namespace."""
        return _in(self.namespace)

    @property
    def has_ended(self) -> bool:
        return self._status.get("jobDeploymentStatus") in ENDED

    @property
    def storage(self) -> str | None:
        """The storage root of the sweep; None in jobs of earlier versions."""
        storage = (self.found["metadata"].get("annotations") or {}).get(STORAGE)
        return str(storage) if storage else None

    @property
    def ray_job(self) -> str | None:
        """The id of the driver's job at the job server."""
        return self._status.get("jobId") or None

    @property
    def option(self) -> str:
        """The option that makes a command find the sweep here."""
        return "--kubernetes" + (f" --namespace {self.namespace}" if self.namespace is not None else "")

    @contextmanager
    def shell(self) -> Iterator[JobShell]:
        """A connection to the head of its cluster, through `kubectl port-forward`.

        Raises:
            ServiceError: there is no head (yet), or it cannot be reached.
        """
        cluster = self._status.get("rayClusterName")
        if not cluster or self.has_ended:
            state = self._status.get("jobDeploymentStatus") or "not admitted yet"
            raise ServiceError(f"sweep {self.sweep}: its RayJob has no cluster now ({state}); ask again later")
        head = (self._status.get("rayClusterStatus") or {}).get("head") or {}
        service = head.get("serviceName") or f"{cluster}-head-svc"
        token = self._token(cluster)
        if token:
            os.environ.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=token)
        with _forwarded(service, self.where) as port:
            yield JobShell(f"http://127.0.0.1:{port}")

    @property
    def _status(self) -> Mapping[str, Any]:
        return self.found.get("status") or {}

    def _token(self, cluster: str) -> str:
        """The token of the cluster, which the operator keeps in a Secret of its name; empty if there is none."""
        secret = kubectl(["get", f"secret/{cluster}", *self.where, "--ignore-not-found", "--output=json"])
        data = (json.loads(secret).get("data") or {}) if secret.strip() else {}
        try:
            return base64.b64decode(data.get("auth_token", "")).decode().strip()
        except (binascii.Error, UnicodeDecodeError):
            return ""


def _in(namespace: str | None) -> list[str]:
    return [f"--namespace={namespace}"] if namespace is not None else []


@contextmanager
def _forwarded(service: str, where: list[str]) -> Iterator[int]:
    """The port of this machine at which the service's job server answers."""
    command = ["kubectl", "port-forward", f"service/{service}", f":{JOB_SERVER_PORT}", "--address=127.0.0.1", *where]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None and process.stderr is not None
    try:
        is_there, _, _ = select.select([process.stdout], [], [], _FORWARDS_WITHIN_S)
        line = process.stdout.readline() if is_there else b""
        if (told := _FORWARDED.match(line)) is None:
            process.kill()
            said = process.stderr.read().decode(errors="replace").strip().splitlines()
            raise ServiceError(f"kubectl port-forward service/{service}: {said[-1] if said else 'it said nothing'}")
        yield int(told[1])
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()
