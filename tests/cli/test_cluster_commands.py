"""launch, stop, logs, and --cluster on other commands: what is refused before any machine is asked."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cli.test_commands import tuner
from tests.simulation import SimulatedCluster, accuracy, coordinator_of, make_spec, new_sweep
from tuner.spec import dump_yaml

SPEC = {
    "name": "mine",
    "trainable": "digits",
    "objective": {"metric": "val_accuracy", "mode": "max"},
    "num_trials": 2,
    "epochs": {"max": 2},
    "space": {"learning_rate": {"low": 1e-3, "high": 1e-1}},
}
CLUSTER = {
    "cluster_name": "mine",
    "provider": {"type": "local", "head_ip": "127.0.0.9", "worker_ips": ["127.0.0.10"]},
    "auth": {"ssh_user": "someone"},
}


@pytest.fixture
def cluster(tmp_path: Path) -> str:
    """A cluster file whose machines nothing may ask."""
    (tmp_path / "cluster.yaml").write_text(dump_yaml(CLUSTER))
    return str(tmp_path / "cluster.yaml")


@pytest.fixture
def interrupted(tmp_path: Path) -> Path:
    """A storage root with an interrupted sweep."""
    journal = new_sweep(tmp_path, make_spec())
    coordinator = coordinator_of(journal)
    SimulatedCluster(coordinator, accuracy).run(5)
    coordinator.stop("interrupted by SIGINT")
    coordinator.close()
    journal.close()
    return tmp_path


def test_a_launch_tells_all_that_is_wrong_with_spec_and_cluster_before_it_starts_anything(
    tmp_path: Path, cluster: str
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(dump_yaml({**SPEC, "space": {**SPEC["space"], "unts": 3}}))  # type: ignore[dict-item]
    said = tuner("launch", str(path), "--cluster", cluster, "--storage", str(tmp_path), exit_code=2).stderr
    assert "space.unts" in said and "storage" in said and "tracking.uri" in said


def test_a_cluster_file_that_is_not_there_is_refused() -> None:
    for command in (("launch", "digits"), ("show", "mine"), ("logs", "mine"), ("stop", "mine"), ("resume", "mine")):
        said = tuner(*command, "--cluster", "none.yaml", exit_code=2).stderr
        assert said == "--cluster none.yaml: must be a Ray cluster launcher file, but there is no such file\n"
    assert tuner("show", "mine", "--cluster", "x" * 5000, exit_code=2).stderr.endswith("but there is no such file\n")


def test_options_without_a_meaning_there_are_refused(cluster: str) -> None:
    for command in ("show", "trials", "logs", "stop", "resume"):
        said = tuner(command, "mine", "--cluster", cluster, "--storage", "s3://bucket/sweeps", exit_code=2).stderr
        assert said.startswith("--storage: has no meaning with --cluster")


def test_a_name_that_no_sweep_can_have_never_reaches_a_shell(cluster: str, tmp_path: Path) -> None:
    said = tuner("show", "a; touch b", "--cluster", cluster, RAY_TMPDIR=str(tmp_path), exit_code=2).stderr
    assert said.startswith("'a; touch b' is not the name of a sweep")


def test_a_sweep_that_nobody_works_on_cannot_be_stopped(interrupted: Path) -> None:
    name = make_spec().name
    said = tuner("stop", name, "--storage", str(interrupted), exit_code=2).stderr
    assert said == f"sweep {name}: no driver is at work on it; it is interrupted\n"


def test_logs_are_what_the_driver_wrote_here(interrupted: Path) -> None:
    name = make_spec().name
    log = interrupted / name / "driver.log"
    said = tuner("logs", name, "--storage", str(interrupted), exit_code=2).stderr
    assert "driver.log: no driver" in said and "what a trainable prints on a cluster is in /tmp/ray" in said
    printed = interrupted / name / "outputs" / "2026-01-02_03-04-05_worker-11.out"
    printed.parent.mkdir()
    printed.write_text("epoch 1\n")
    said = tuner("logs", name, "--storage", str(interrupted)).stderr
    assert "has logged a failure on this machine; what trainables printed is in " in said
    assert str(printed) in said.replace("\n", "")
    log.write_text("a worker said this\n")
    done = tuner("logs", name, "--follow", "--storage", str(interrupted))
    assert done.stdout == "a worker said this\n" and str(printed) in done.stderr.replace("\n", "")
    os.unlink(log)
    log.mkdir()
    said = tuner("logs", name, "--storage", str(interrupted), exit_code=4).stderr
    assert said == f"{log}: cannot be read: Is a directory\n"


@pytest.mark.parametrize(
    ("refusal", "code", "said"),
    [
        (PermissionError, 2, "is another user's, who alone can stop it\n"),
        (ProcessLookupError, 0, f"go on with it: tuner resume {make_spec().name} --storage"),
    ],
)
def test_a_driver_that_cannot_be_signalled_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusal: type[OSError], code: int, said: str
) -> None:
    journal = new_sweep(tmp_path, make_spec())

    def kill(pid: int, number: int) -> None:
        assert pid == os.getpid()
        if refusal is ProcessLookupError:
            journal.close()
        raise refusal

    monkeypatch.setattr(os, "kill", kill)
    assert said in tuner("stop", make_spec().name, "--storage", str(tmp_path), exit_code=code).stderr
    journal.close()


def test_a_password_never_becomes_part_of_a_jobs_command(cluster: str, tmp_path: Path) -> None:
    override = "tracking.uri=https://me:canary@tracking:5000"
    said = tuner(
        "resume", "mine", "--set", override, "--cluster", cluster, RAY_TMPDIR=str(tmp_path), exit_code=2
    ).stderr
    assert said.startswith("--set: holds a password") and "canary" not in said


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"provider": {}}, "provider.type: is required, but is missing"),
        ({"provider": {"type": "local", "worker_ips": []}}, "provider.head_ip: is required"),
        ({"provider": {"type": "awz"}}, "did you mean 'aws'?"),
        ({"cluster_name": ""}, "cluster_name: must be a name"),
        ({"auth": {}}, "auth.ssh_user: is required, but is missing"),
    ],
)
def test_a_file_that_leads_to_no_head_is_refused_as_check_does(
    tmp_path: Path, cluster: str, change: dict[str, object], problem: str
) -> None:
    Path(cluster).write_text(dump_yaml(CLUSTER | change))
    for command in ("show", "resume"):
        said = tuner(command, "mine", "--cluster", cluster, exit_code=2).stderr
        assert said.startswith(f"{cluster}: ") and problem in said and said.count("\n") == 1
    assert problem in tuner("check", "--cluster", cluster, exit_code=2).stderr
