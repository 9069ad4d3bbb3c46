"""A cluster that is not up yet: what is refused before it costs anything, and what an interrupted start leaves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_cluster_commands import CLUSTER as LOCAL
from tests.cli.test_cluster_commands import SPEC as ALONE
from tests.cli.test_commands import tuner
from tuner.base.errors import ServiceError, UsageError
from tuner.cluster import launch
from tuner.cluster.launch import bring_up
from tuner.spec import dump_yaml, spec_from_mapping

CLUSTER: dict[str, Any] = {
    **LOCAL,
    "setup_commands": [],
    "head_start_ray_commands": ["ray start --head --autoscaling-config=~/ray_bootstrap_config.yaml"],
}
SPEC = {**ALONE, "storage": "s3://bucket/sweeps", "tracking": {"uri": "https://mlflow.example.com"}}


def test_files_that_this_machine_lacks_are_refused_before_a_machine_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ray's launcher has a head by the time at which it looks for them."""
    monkeypatch.setattr(launch, "_running", lambda file: None)
    monkeypatch.setattr(launch, "_ray", lambda *asked: pytest.fail("a machine was started"))
    changes = {
        "file_mounts": {"~/faces.npz": "./faces.npz"},
        "auth": {"ssh_user": "me", "ssh_private_key": "/keys/mine"},
    }
    (path := tmp_path / "c.yaml").write_text(dump_yaml({**CLUSTER, **changes}))
    with pytest.raises(UsageError) as refused:
        bring_up(path)
    assert str(refused.value).splitlines() == [
        f"{path}: file_mounts.~/faces.npz: there is no ./faces.npz in {os.getcwd()}, where relative paths begin",
        f"{path}: auth.ssh_private_key: there is no /keys/mine on this machine",
    ]


def test_machines_that_could_not_be_given_back_are_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray has ended on the head, so that nobody can say whether others work there."""

    class Head:
        name, option, cluster_file = "mine", "--cluster c.yaml", tmp_path / "c.yaml"

        def pass_on(self, script: str, to_people: bool = False) -> int:
            return 4

        def run(self, script: str) -> subprocess.CompletedProcess[str]:
            return subprocess.CompletedProcess(script, 4, "", "no running Ray instance")

    for name, content in (("c.yaml", CLUSTER), ("s.yaml", SPEC)):
        (tmp_path / name).write_text(dump_yaml(content))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(launch, "bring_up", lambda file: Head())
    monkeypatch.setattr(launch, "submit", lambda *asked: launch.Submitted("mine", "mine"))
    said = tuner("launch", "s.yaml", "--cluster", "c.yaml", "--down-when-done", exit_code=4).stderr
    assert said.splitlines()[-1] == (
        "the head of cluster mine: no running Ray instance; the cluster is still up; shut it down with `ray down"
        " c.yaml`"
    )


@pytest.mark.slow
def test_an_interrupted_start_says_what_is_left_and_goes_on_behind_nobodys_back(tmp_path: Path) -> None:
    """The signal goes to the command alone; a head that nobody answers for keeps the launcher at work."""
    for name, content in (("c.yaml", CLUSTER), ("s.yaml", SPEC)):
        (tmp_path / name).write_text(dump_yaml(content))
    command = [sys.executable, "-m", "tuner.cli.main", "launch", "s.yaml", "--cluster", "c.yaml"]
    environ = {**os.environ, "HOME": str(tmp_path), "RAY_TMPDIR": str(tmp_path), "TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, cwd=tmp_path, env=environ, stderr=subprocess.PIPE, text=True) as launching:
        assert launching.stderr is not None
        assert any("Setting up head node" in line for line in launching.stderr)
        [launcher] = children(launching.pid)
        launching.send_signal(signal.SIGTERM)
        last = launching.stderr.read().splitlines()[-1]
    assert launching.returncode == 3
    assert last == (
        "interrupted before sweep mine was known to run on the cluster of c.yaml, which may be half started: launch"
        " again to continue, or release its machines with `ray down c.yaml`"
    )
    assert not Path(f"/proc/{launcher}").exists()


def test_a_token_that_others_can_read_is_closed_before_it_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    token, file = tmp_path / "token", tmp_path / "c.yaml"
    token.write_text("secret")
    token.chmod(0o644)
    file.write_text(dump_yaml({**CLUSTER, "file_mounts": {"~/.ray/auth_token": str(token)}}))
    modes: list[int] = []
    monkeypatch.setattr(launch, "_running", lambda file: None)
    monkeypatch.setattr(launch, "HeadShell", lambda file: None)
    monkeypatch.setattr(launch, "_ray", lambda *asked: modes.append(token.stat().st_mode & 0o777))
    bring_up(file)
    assert modes == [0o600] and "could be read by other users" in capsys.readouterr().err


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


class Answering:
    """A head of a cluster file's, which answers what it is told to."""

    name, option = "mine", "--cluster c.yaml"

    def __init__(self, cluster_file: Path, printed: str) -> None:
        self.cluster_file, self._printed = cluster_file, printed
        self.environment: dict[str, str] = {}

    def run(self, script: str) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(script, 0, self._printed, "")

    def copy(self, source: Path, target: str) -> None:
        self.environment = json.loads((source / "environment").read_text())


def test_the_driver_hears_of_the_nodes_that_ray_reads_in_the_file(tmp_path: Path) -> None:
    """In YAML 1.1, which Ray reads, 010 is 8."""
    kind = {"resources": {"CPU": 4}, "node_config": {}}
    text = dump_yaml({**CLUSTER, "provider": {"type": "aws"}, "available_node_types": {"worker": kind}})
    (path := tmp_path / "c.yaml").write_text(f"{text}max_workers: 010\n")
    head = Answering(path, 'a warning\n{"job": "mine"}\nanother one\n')
    assert launch.submit(head, spec_from_mapping(SPEC), False) == launch.Submitted("mine", "mine")  # type: ignore[arg-type]
    assert json.loads(head.environment["TUNER_NODE_TYPES"]) == [{"CPU": 4, "nodes": 8}]


@pytest.mark.parametrize("printed", ["", "no data\n", "3\n"])
def test_a_head_whose_answer_is_none_is_one_line(tmp_path: Path, printed: str) -> None:
    (path := tmp_path / "c.yaml").write_text(dump_yaml(CLUSTER))
    with pytest.raises(ServiceError, match="the head of cluster mine: its answer is no data: "):
        launch.submit(Answering(path, printed), spec_from_mapping(SPEC), False)  # type: ignore[arg-type]
