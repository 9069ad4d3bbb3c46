"""The way to the head: the launcher's ssh, and a shell that passes on a script's output alone."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tuner.base.errors import UsageError
from tuner.cluster.head_shell import HeadShell
from tuner.spec import dump_yaml

pytestmark = pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)  # Ray's launcher closes no file

CONFIG = {
    "cluster_name": "mine",
    "provider": {"type": "local", "head_ip": "127.0.0.9", "worker_ips": ["127.0.0.10"]},
    "auth": {"ssh_user": "someone", "ssh_private_key": "/keys/mine"},
    "file_mounts": {},
    "head_start_ray_commands": ["ray start --head"],
}


@pytest.fixture
def head(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> HeadShell:
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    (tmp_path / "cluster.yaml").write_text(dump_yaml(CONFIG))
    head = HeadShell(tmp_path / "cluster.yaml")
    head.argv("true")
    assert capfd.readouterr().out == ""  # the launcher's talk would stand among the data
    return head


def test_a_laptop_that_launched_nothing_finds_the_head_of_ones_own_machines(head: HeadShell) -> None:
    argv = head.argv("hostname")
    assert argv[0] == "ssh" and "someone@127.0.0.9" in argv and argv[argv.index("-i") + 1] == "/keys/mine"
    assert head.name == "mine"


def test_only_the_scripts_own_output_and_exit_code_come_back(head: HeadShell, tmp_path: Path) -> None:
    (tmp_path / ".bashrc").write_text("echo welcome; echo oh >&2")
    script = "echo data; echo 'a \"quoted\" $HOME' >&2; exit 7"
    done = subprocess.run(
        ["bash", "-c", head.argv(script)[-1]],
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (7, "data\n", 'a "quoted" $HOME\n')


def test_the_python_beside_ray_is_taken_and_the_token_where_there_is_one(head: HeadShell, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    for name in ("ray", "python"):
        (tmp_path / "bin" / name).write_text("#!/bin/sh\n")
        (tmp_path / "bin" / name).chmod(0o755)
    (tmp_path / ".bashrc").write_text(f"PATH={tmp_path}/bin:$PATH")
    told = []
    for has_token in (False, True):
        if has_token:
            (tmp_path / ".ray").mkdir()
            (tmp_path / ".ray" / "auth_token").touch()
        command = ["bash", "-c", head.argv('echo "$python ${RAY_AUTH_MODE:-none}"')[-1]]
        environ = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
        told.append(
            subprocess.run(command, env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True).stdout
        )
    assert told == [f"{tmp_path}/bin/python none\n", f"{tmp_path}/bin/python token\n"]


def test_a_container_s_shell_reads_its_own_home_s_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where `docker exec` runs a command: here it is a script that runs it as it is, in another home."""
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    docker = {"image": "registry/tuner:1", "container_name": "ray_container"}
    (tmp_path / "cluster.yaml").write_text(dump_yaml({**CONFIG, "docker": docker}))
    (tmp_path / "docker").write_text('#!/bin/bash\n[ "$1 $2" = "exec ray_container" ] && shift 2 && exec "$@"\n')
    (tmp_path / "docker").chmod(0o755)
    (tmp_path / ".bashrc").write_text("export OF_THE_HOME=yes\n")
    command = HeadShell(tmp_path / "cluster.yaml").argv('echo "$OF_THE_HOME" "~/as it is"')[-1]
    environ = {"HOME": str(tmp_path), "PATH": f"{tmp_path}:/usr/bin:/bin"}
    done = subprocess.run(["bash", "-c", command], env=environ, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "yes ~/as it is\n")


def test_a_cluster_file_that_ray_does_not_take_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "cluster.yaml"
    path.write_text(dump_yaml({**CONFIG, "provider": {"type": "none-such"}}))
    with pytest.raises(UsageError, match=r"cluster.yaml: provider.type: must be one of .*none-such"):
        HeadShell(path)


def test_a_cluster_file_that_is_no_yaml_is_the_users_mistake(tmp_path: Path) -> None:
    path = tmp_path / "cluster.yaml"
    path.write_text("cluster_name: [")
    with pytest.raises(UsageError, match=r"cluster.yaml: must be YAML"):
        HeadShell(path)
