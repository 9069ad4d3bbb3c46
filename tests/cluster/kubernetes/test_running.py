"""show, logs, stop and resume of a sweep on Kubernetes; kubectl and the job server are stand-ins."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.cli.test_commands import tuner
from tests.cluster.kubernetes.making import ray_job, spec
from tests.simulation import SimulatedCluster, accuracy, coordinator_of, make_spec, new_sweep
from tuner.cluster.kubernetes import running

STUB = """#!/bin/sh
echo "$@" >> {folder}/calls
case "$1" in
  get) case "$2" in
    rayjobs*) cat {folder}/rayjob.json 2> /dev/null; exit 0 ;;
    secret*) cat {folder}/secret.json ;;
  esac ;;
  port-forward) echo 'Forwarding from 127.0.0.1:4321 -> 8265'; exec sleep 60 ;;
  logs) test -f {folder}/log && cat {folder}/log ;;
  delete) rm {folder}/rayjob.json ;;
  apply) cat > {folder}/applied.yaml ;;
esac
"""


class Shell:
    """In the place of a connection to a job server."""

    scripts: list[str] = []  # noqa: RUF012 - of one test

    def __init__(self, address: str) -> None:
        assert (address, os.environ["RAY_AUTH_TOKEN"]) == ("http://127.0.0.1:4321", "canary")

    def pass_on(self, script: str) -> int:
        Shell.scripts.append(script)
        return 7

    class client:
        @staticmethod
        def get_job_logs(job: str) -> str:
            return f"log of {job}\n"

        @staticmethod
        async def tail_job_logs(job: str) -> AsyncIterator[str]:
            yield f"followed {job}\n"

        @staticmethod
        def get_job_info(job: str) -> Any:
            status = SimpleNamespace(is_terminal=lambda: True)
            return SimpleNamespace(status=status, driver_exit_code=3, message="")


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a kubectl, and of what it knows."""
    (folder := tmp_path / "kubectl.d").mkdir()
    (folder / "kubectl").write_text(STUB.format(folder=folder))
    (folder / "kubectl").chmod(0o700)
    (folder / "secret.json").write_text(json.dumps({"data": {"auth_token": base64.b64encode(b"canary").decode()}}))
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("RAY_AUTH_TOKEN", "")
    monkeypatch.setenv("RAY_AUTH_MODE", "")
    monkeypatch.setattr(running, "JobShell", Shell)
    monkeypatch.setattr(Shell, "scripts", [])
    return folder


def has_job(folder: Path, state: str, storage: str = "s3://bucket/sweeps", **options: Any) -> None:
    job = json.loads(json.dumps(ray_job(spec(name="mine", storage=storage), **options)))
    job["metadata"] |= {"uid": "1", "resourceVersion": "2", "managedFields": []}
    job["status"] = {"jobDeploymentStatus": state, "rayClusterName": "mine-abcde", "jobId": "mine-xyz"}
    (folder / "rayjob.json").write_text(json.dumps(job))


def calls(folder: Path) -> list[str]:
    return (folder / "calls").read_text().splitlines()


@pytest.mark.parametrize("command", ["show", "trials", "stop", "logs --trial 3 --follow"])
def test_a_command_runs_on_the_head_through_kubectl_s_tunnel(there: Path, command: str) -> None:
    has_job(there, "Running")
    name, *options = command.split()
    tuner(name, "mine", *options, "--kubernetes", "--namespace", "team", exit_code=7)
    (script,) = Shell.scripts
    words = " ".join([name, "mine", *options])
    assert script.endswith(f'exec "$python" -m tuner.cli.main {words} --storage s3://bucket/sweeps')
    assert "TUNER_ASKED_BY=--kubernetes --namespace team" in script
    assert "port-forward service/mine-abcde-head-svc :8265 --address=127.0.0.1 --namespace=team" in calls(there)
    asked = "get rayjobs.ray.io/mine --namespace=team --ignore-not-found --output=json"
    assert calls(there)[0] == asked and "canary" not in "".join(calls(there))
    left = subprocess.run(["pgrep", "-f", f"{there}/none"], capture_output=True, text=True)
    assert left.stdout == ""


def test_the_log_is_the_driver_s_own(there: Path) -> None:
    has_job(there, "Running")
    assert tuner("logs", "mine", "--kubernetes").stdout == "log of mine-xyz\n"
    assert tuner("logs", "mine", "--kubernetes", "--follow", exit_code=3).stdout == "followed mine-xyz\n"
    has_job(there, "Complete")
    (there / "log").write_text("the pod's log\n")
    assert tuner("logs", "mine", "--kubernetes").stdout == "the pod's log\n"


def test_without_a_cluster_the_storage_answers(there: Path, tmp_path: Path) -> None:
    journal = new_sweep(tmp_path, make_spec(name="mine"))
    coordinator = coordinator_of(journal)
    SimulatedCluster(coordinator, accuracy).run(5)
    coordinator.stop("interrupted by SIGINT")
    coordinator.close()
    journal.close()
    has_job(there, "Complete", str(tmp_path))
    done = tuner("show", "mine", "--kubernetes", "--json")
    assert json.loads(done.stdout)["state"] == "interrupted" and "no cluster of it runs on Kubernetes" in done.stderr
    assert len(json.loads(tuner("trials", "mine", "--kubernetes", "--json").stdout)) > 0
    assert "no driver is at work on it" in tuner("stop", "mine", "--kubernetes", exit_code=2).stderr
    (there / "rayjob.json").unlink()
    assert json.loads(tuner("show", "mine", "--kubernetes", "--storage", str(tmp_path), "--json").stdout)
    said = tuner("show", "mine", "--kubernetes", exit_code=2).stderr
    assert said.startswith("sweep mine: there is no RayJob of it in kubectl's namespace; name its storage")
    has_job(there, "Failed", str(tmp_path / "volume"))
    assert "is a volume of pods; mount it here, or go on" in tuner("show", "mine", "--kubernetes", exit_code=2).stderr


def test_a_job_that_has_no_cluster_yet_is_told(there: Path) -> None:
    has_job(there, "Waiting")
    job = json.loads((there / "rayjob.json").read_text())
    del job["status"]["rayClusterName"]
    (there / "rayjob.json").write_text(json.dumps(job))
    said = tuner("show", "mine", "--kubernetes", exit_code=4).stderr
    assert said == "sweep mine: its RayJob has no cluster now (Waiting); ask again later\n"


def test_a_resume_makes_the_job_anew(there: Path) -> None:
    has_job(there, "Running")
    assert "its RayJob runs" in tuner("resume", "mine", "--kubernetes", exit_code=2).stderr
    has_job(there, "Complete", queue="q")
    said = tuner("resume", "mine", "--kubernetes", "--num-trials", "99", "--with-changed-data").stderr
    assert "sweep mine goes on on Kubernetes as RayJob mine" in said
    applied = (there / "applied.yaml").read_text()
    words = "tuner run sweep.yaml --shipped --name mine --or-resume --set num_trials=99 --with-changed-data"
    assert words in applied and "suspend: true" in applied
    assert "managedFields" not in applied and "resourceVersion" not in applied and "status:" not in applied
    assert any(call.startswith("delete rayjobs.ray.io/mine") for call in calls(there))
    said = tuner("resume", "mine", "--kubernetes", exit_code=2).stderr  # it is gone, as the stand-in has no operator
    assert "there is no RayJob of it in kubectl's namespace; go on from storage: tuner kubernetes SPEC" in said
    said = tuner("resume", "mine", "--kubernetes", "--set", "tracking.uri=https://u:p@h", exit_code=2).stderr
    assert "--set: holds a password" in said


def test_only_one_place_is_named(there: Path) -> None:
    said = tuner("show", "mine", "--kubernetes", "--cluster", "c.yaml", exit_code=2).stderr
    assert said == "--cluster: has no meaning with --kubernetes; give one of them\n"


def test_a_tunnel_that_is_refused_is_one_line(there: Path) -> None:
    has_job(there, "Running")
    stub = (there / "kubectl").read_text().replace("echo 'Forwarding from 127.0.0.1:4321 -> 8265'; exec sleep 60", "no")
    (there / "kubectl").write_text(stub.replace("port-forward) no", "port-forward) echo 'no such service' >&2; exit 1"))
    said = tuner("show", "mine", "--kubernetes", exit_code=4).stderr
    assert said == "kubectl port-forward service/mine-abcde-head-svc: no such service\n"
