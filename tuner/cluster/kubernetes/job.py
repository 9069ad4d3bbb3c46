"""The RayJob of a sweep, and the ConfigMap beside it.

The entrypoint of the job starts the sweep or resumes it: each retry is a new RayCluster, which knows of the last one
only what storage holds. The head trains nothing, so that nothing disturbs driver, recorder and autoscaler.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

from tuner.base.user import LAUNCHED_BY
from tuner.cluster.kubernetes.files import Content, content
from tuner.cluster.kubernetes.kubectl import USER
from tuner.cluster.kubernetes.naming import ELASTIC, QUEUE_LABEL
from tuner.cluster.kubernetes.options import WORKING_DIRECTORY, Options, default_image, job_name, mount_names
from tuner.cluster.kubernetes.pod_template import for_role, merged, toleration, with_template
from tuner.cluster.kubernetes.running import STORAGE
from tuner.cluster.kubernetes.sizing import WorkerPod
from tuner.cluster.launched import SPEC
from tuner.cluster.parcel import Parcel, parcel_of
from tuner.spec import SweepSpec
from tuner.spec.sharing import SHARED_FOLDERS

SWEEP = "tuner.sweep"
"""The annotation with the name of the sweep."""
_HEAD = {"cpu": "2", "memory": "8Gi"}
_IDLE_S = 300
"""A worker without work for this time is released; a new one takes minutes until its first epoch."""
_TTL_S = 60
"""The cluster stays up for this time after the end of the sweep."""


def manifest(
    spec: SweepSpec, options: Options, environment: Mapping[str, str], parcel: Parcel | None = None
) -> list[dict[str, Any]]:
    """The objects of a sweep, in the order in which they are applied.

    Args:
        spec: checked, with its storage, and with absolute paths.
        environment: variables of every pod; no secrets, as anybody who can read the job would see them.
        parcel: the user's files; by default the code of the trainable.

    Raises:
        UsageError: the user's files cannot be shipped.
    """
    held = content(spec, parcel if parcel is not None else parcel_of(spec))
    metadata = _metadata(spec, options, environment)
    config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, **held.as_fields}
    job = {
        "apiVersion": "ray.io/v1",
        "kind": "RayJob",
        "metadata": _queued(metadata, options),
        "spec": _job(spec, options, _Pods(spec, options, environment, held)),
    }
    return [config_map, job]


def _metadata(spec: SweepSpec, options: Options, environment: Mapping[str, str]) -> dict[str, Any]:
    return {
        "name": job_name(spec.name),
        **({"namespace": options.namespace} if options.namespace is not None else {}),
        "labels": {"app.kubernetes.io/name": "tuner", **pairs(options.labels)},
        "annotations": {
            **pairs(options.annotations),
            SWEEP: spec.name,
            **({USER: environment[LAUNCHED_BY]} if LAUNCHED_BY in environment else {}),
            **({STORAGE: spec.storage} if spec.storage is not None else {}),
        },
    }


def _queued(metadata: dict[str, Any], options: Options) -> dict[str, Any]:
    """Adds the queue; Kueue admits a job with an autoscaler only if it is elastic."""
    if options.queue is None:
        return metadata
    return {
        **metadata,
        "labels": {**metadata["labels"], QUEUE_LABEL: options.queue},
        "annotations": {**metadata["annotations"], ELASTIC: "true"},
    }


def _job(spec: SweepSpec, options: Options, pods: _Pods) -> dict[str, Any]:
    return {
        "entrypoint": shlex.join(["tuner", "run", SPEC, "--shipped", "--name", spec.name, "--or-resume"]),
        "submissionMode": "K8sJobMode",
        **({"submitterPodTemplate": submitter} if (submitter := pods.submitter()) else {}),
        "backoffLimit": options.retries,
        "shutdownAfterJobFinishes": True,
        "ttlSecondsAfterFinished": _TTL_S,
        **({"suspend": True} if options.queue is not None else {}),
        "rayClusterSpec": {
            "rayVersion": version("ray"),
            "authOptions": {"mode": "token"},
            "enableInTreeAutoscaling": True,
            "autoscalerOptions": {"version": "v2", "idleTimeoutSeconds": _IDLE_S},
            "headGroupSpec": {"rayStartParams": {"num-cpus": "0", "num-gpus": "0"}, "template": pods.head()},
            "workerGroupSpecs": [
                {
                    "groupName": "gpu-workers" if pods.worker.gpus else "cpu-workers",
                    "replicas": options.min_workers,
                    "minReplicas": options.min_workers,
                    "maxReplicas": pods.worker.max_pods,
                    "rayStartParams": {},
                    "template": pods.workers(),
                }
            ],
        },
    }


class _Pods:
    """The pods of a sweep's cluster: all have the same image, environment and working directory."""

    def __init__(self, spec: SweepSpec, options: Options, environment: Mapping[str, str], held: Content) -> None:
        self.worker = WorkerPod.of(spec, options)
        self._options = options
        self._mounts = mount_names(options.claims())
        self._image = options.image or default_image(bool(self.worker.gpus))
        self._environment = {
            "RAY_CHDIR_TO_TRIAL_DIR": "0",  # trials stay where the code is
            "RAY_USAGE_STATS_ENABLED": "0",
            **environment,
            **({SHARED_FOLDERS: ":".join(self._mounts)} if self._mounts else {}),
        }
        self._volumes = [
            {"name": "sweep", "configMap": {"name": job_name(spec.name), "items": held.items}},
            *(
                {"name": self._mounts[path], "persistentVolumeClaim": {"claimName": claim}}
                for path, claim in options.claims().items()
            ),
        ]

    def head(self) -> dict[str, Any]:
        """The head keeps the token of its service account, for the autoscaler."""
        ports = {"gcs-server": 6379, "dashboard": 8265, "client": 10001, "metrics": 8080}
        container = self._container("ray-head", _HEAD)
        container["ports"] = [{"name": name, "containerPort": port} for name, port in ports.items()]
        return self._template("head", container, {})

    def workers(self) -> dict[str, Any]:
        worker = self.worker
        resources = {"cpu": str(worker.cpus), "memory": f"{math.ceil(worker.memory_bytes / 2**20)}Mi"}
        more: dict[str, Any] = {"automountServiceAccountToken": False}
        if worker.gpus:
            resources["nvidia.com/gpu"] = str(worker.gpus)
            more["tolerations"] = [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]
        return self._template("worker", self._container("ray-worker", resources), more)

    def _container(self, name: str, resources: dict[str, str]) -> dict[str, Any]:
        secrets = [{"secretRef": {"name": secret}} for secret in self._options.secrets]
        return {
            "name": name,
            "image": self._image,
            "workingDir": WORKING_DIRECTORY,
            "env": [{"name": name, "value": value} for name, value in self._environment.items()],
            **({"envFrom": secrets} if secrets else {}),
            "resources": {"requests": dict(resources), "limits": dict(resources)},
            "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
            "volumeMounts": [
                {"name": "sweep", "mountPath": WORKING_DIRECTORY, "readOnly": True},
                *({"name": name, "mountPath": path} for path, name in self._mounts.items()),
            ],
        }

    def _template(self, role: str, container: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
        account = self._options.service_account
        pod = {
            "spec": {
                **({"serviceAccountName": account} if account is not None else {}),
                **more,
                "securityContext": {
                    "runAsNonRoot": True,
                    "runAsUser": 1000,
                    "fsGroup": 1000,
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
                "containers": [container],
                "volumes": self._volumes,
            }
        }
        return with_template(merged(pod, placement(self._options, role)), self._options.pod_template.get(role, {}))

    def submitter(self) -> dict[str, Any]:
        """The pod that submits the driver's job, where the user says how pods are to be; else the operator's own."""
        added = placement(self._options, "head")
        resources = {"requests": {"cpu": "500m", "memory": "200Mi"}, "limits": {"cpu": "1", "memory": "1Gi"}}
        container = {"name": "ray-job-submitter", "image": self._image, "resources": resources}
        return merged({"spec": {"restartPolicy": "Never", "containers": [container]}}, added) if added else {}


def placement(options: Options, role: str) -> dict[str, Any]:
    """What the flags say of the pods of a role, as a pod template."""
    metadata = {"labels": pairs(options.labels), "annotations": pairs(options.annotations)}
    spec = {
        "nodeSelector": pairs(for_role(options.node_selectors, role)),
        "tolerations": [toleration(text) for text in for_role(options.tolerations, role)],
        "priorityClassName": options.priority_class,
        "imagePullSecrets": [{"name": name} for name in options.pull_secrets],
    }
    parts = {"metadata": _given(metadata), "spec": _given(spec)}
    return _given(parts)


def pairs(written: Sequence[str]) -> dict[str, str]:
    """KEY=VALUE options as a mapping."""
    return {key: value for key, _, value in (text.partition("=") for text in written)}


def _given(fields: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if value}
