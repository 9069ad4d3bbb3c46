"""What the shipped cluster files run on a node: sound shell, from the lock files, and the same on every cluster."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tuner.cluster.schema import read_cluster

ROOT = Path(__file__).parents[2]
FILES = ("cluster.yaml", "deploy/gcp.yaml", "deploy/on-premise.yaml")
SETUP = ("setup_commands", "head_setup_commands", "worker_setup_commands")
COMMANDS = (*SETUP, "initialization_commands", "head_start_ray_commands", "worker_start_ray_commands")


def pins(name: str) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9._-]+)==([^\s;]+)", (ROOT / name).read_text(), re.MULTILINE))


@pytest.mark.parametrize("name", FILES)
def test_every_command_is_sound_shell(name: str) -> None:
    cluster = read_cluster(ROOT / name)
    for command in (command for key in COMMANDS for command in cluster[key]):
        done = subprocess.run(["bash", "-n", "-c", command], capture_output=True, text=True)
        assert done.returncode == 0, f"{command}: {done.stderr}"


def test_every_cluster_is_set_up_and_started_alike() -> None:
    first, *others = (read_cluster(ROOT / name) for name in FILES)
    for other in others:
        assert [other[key] for key in COMMANDS] == [first[key] for key in COMMANDS]


def test_nodes_with_and_without_gpus_have_the_same_versions() -> None:
    plain, gpu = pins("requirements.lock"), pins("deploy/requirements-gpu.lock")
    assert {name: version for name, version in gpu.items() if plain.get(name, version) != version} == {}
    assert {"ray", "tensorflow", "nvidia-cudnn-cu12", "s3fs", "gcsfs"} <= set(gpu) and "pytest" not in gpu
    assert {"boto3", "google-api-python-client"} <= set(plain)  # with which an autoscaler starts machines


@pytest.mark.slow
def test_the_commands_make_a_head_s_environment(tmp_path: Path) -> None:
    """In a home folder of its own. The Python is this one: the file's is downloaded from GitHub."""
    for name in ("requirements.lock", "deploy/requirements-gpu.lock"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / ".bashrc").touch()
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "tuner-env")], check=True)
    cache = subprocess.run([sys.executable, "-m", "uv", "cache", "dir"], check=True, capture_output=True, text=True)
    python = Path(sys.base_prefix) / "bin"
    environ = {
        **os.environ,
        "HOME": str(tmp_path),
        "PATH": f"{python}:/usr/bin:/bin",
        "UV_CACHE_DIR": cache.stdout.strip(),
    }
    cluster = read_cluster(ROOT / "cluster.yaml")
    for command in [*cluster["setup_commands"], *cluster["setup_commands"], *cluster["head_setup_commands"]]:
        done = subprocess.run(["bash", "-c", command], env=environ, capture_output=True, text=True)
        assert done.returncode == 0, f"{command}: {done.stderr}"
    said = 'source ~/.bashrc; command -v ray; ray --version; echo "$RAY_AUTH_MODE"'
    told = subprocess.run(["bash", "-c", said], env=environ, capture_output=True, text=True).stdout.splitlines()
    version = pins("requirements.lock")["ray"]
    assert told == [str(tmp_path / "tuner-env/bin/ray"), f"ray, version {version}", "token"]
    assert (tmp_path / ".bashrc").read_text().count("tuner-env") == 1
