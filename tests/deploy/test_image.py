"""deploy/Dockerfile without a container engine: what it copies is there, and what it runs works."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from importlib.metadata import version
from pathlib import Path
from shutil import copy, copytree, ignore_patterns

import pytest

from tests.cluster.kubernetes.making import ray_job, spec
from tuner.cluster.kubernetes.options import WORKING_DIRECTORY, default_image

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "deploy" / "Dockerfile"


@dataclass(frozen=True)
class Instruction:
    stage: int
    word: str
    rest: str


def instructions() -> list[Instruction]:
    text = re.sub(r"\\\n\s*", "", DOCKERFILE.read_text())
    found: list[Instruction] = []
    stage = -1
    for line in text.splitlines():
        if line and not line.startswith("#"):
            word, _, rest = line.partition(" ")
            stage += word == "FROM"
            found.append(Instruction(stage, word, rest))
    return found


def of(word: str, stage: int | None = None) -> list[str]:
    return [one.rest for one in instructions() if one.word == word and stage in (None, one.stage)]


def copied() -> Iterator[str]:
    """What is copied from the project rather than from another stage."""
    for rest in of("COPY"):
        if not rest.startswith("--from"):
            yield from rest.split()[:-1]


def is_sent(path: str) -> bool:
    """Whether .dockerignore lets a path into the build: its last pattern that fits decides."""
    sent = True
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        if line and not line.startswith("#") and fnmatch(path, line.removeprefix("!").removeprefix("**/")):
            sent = line.startswith("!")
    return sent


def test_every_path_that_it_copies_exists_and_reaches_the_build() -> None:
    paths = list(copied())
    assert len(paths) > 5
    assert [path for path in paths if not (ROOT / path).exists()] == []
    assert [path for path in paths if not is_sent(path)] == []


def test_nothing_else_reaches_the_build() -> None:
    paths = [path.relative_to(ROOT).as_posix() for path in [*ROOT.iterdir(), *(ROOT / "deploy").rglob("*")]]
    assert {path for path in paths if is_sent(path)} == set(copied())


def test_the_image_runs_as_nobody_special_where_pods_expect_it() -> None:
    last = instructions()[-1].stage
    assert of("USER", last) == ["1000:1000"]
    pod = ray_job(spec())["spec"]["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]
    assert pod["securityContext"]["runAsUser"] == 1000
    assert of("WORKDIR", last) == [os.path.dirname(WORKING_DIRECTORY)]
    users = [line for line in of("RUN", last) if line.startswith("useradd --uid 1000 ")]
    assert len(users) == 1 and users[0].endswith("--create-home tuner")


def test_both_stages_stand_on_the_python_that_the_project_is_locked_for() -> None:
    bases = [rest.split()[0] for rest in of("FROM")]
    assert len(set(bases)) == 1
    python = re.fullmatch(r"python:(\d+\.\d+)\.\d+-slim-bookworm", bases[0])
    assert python is not None and f'requires-python = ">={python[1]}"' in (ROOT / "pyproject.toml").read_text()


def test_the_tags_that_it_names_are_those_that_a_launch_takes() -> None:
    for text in (DOCKERFILE.read_text(), (ROOT / "deploy" / "README.md").read_text()):
        tags = set(re.findall(r"--tag (\S+)", text))
        assert tags == {default_image(False), default_image(True)}
    assert default_image(False).endswith(version("tuner"))


def pins(lock: str) -> dict[str, set[str]]:
    """Package -> versions; several where they depend on Python's own."""
    found: dict[str, set[str]] = {}
    for name, number in re.findall(r"^([a-z0-9._-]+)==(\S+)", (ROOT / lock).read_text(), re.MULTILINE):
        found.setdefault(name, set()).add(number)
    return found


def test_the_image_has_the_versions_of_the_lock_file_and_no_development_tools() -> None:
    image, all_locked = pins("deploy/requirements-gpu.lock"), pins("requirements.lock")
    new = {name for name, numbers in image.items() if all_locked.get(name) != numbers}
    assert new and all(name.startswith("nvidia-") for name in new)
    assert not {"pytest", "moto", "mypy", "ruff", "hypothesis"} & image.keys()


class Build:
    """The first stage, played in a folder."""

    def __init__(self, folder: Path, variant: str) -> None:
        self._folder = folder
        self._environment = {
            **{name: text for name, text in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")},
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
            "VARIANT": variant,
        }

    def path(self, inside: str) -> Path:
        return self._folder / inside.lstrip("/")

    def play(self) -> None:
        for one in instructions():
            if one.stage == 0 and one.word == "COPY":
                self._copy(*one.rest.split())
            elif one.stage == 0 and one.word == "RUN":
                done = self.run(one.rest)
                assert done.returncode == 0, f"{one.rest}\n{done.stdout}{done.stderr}"

    def run(self, command: str, **more: str) -> subprocess.CompletedProcess[str]:
        """A RUN line, with the image's folders here, and with the download caches that an image leaves out."""
        command = re.sub(
            r" --no-cache(-dir)?(?= )| --compile-bytecode", "", command.replace("/opt/", f"{self._folder}/opt/")
        )
        environment = {**self._environment, **more}
        build = self.path("/build")
        build.mkdir(parents=True, exist_ok=True)
        return subprocess.run(["sh", "-c", command], cwd=build, env=environment, capture_output=True, text=True)

    def _copy(self, *words: str) -> None:
        *sources, target = words
        build = self.path("/build")
        build.mkdir(parents=True, exist_ok=True)
        for source in sources:
            place = build / target / Path(source).name if target.endswith("/") else build / target
            place.parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / source).is_dir():
                copytree(ROOT / source, place, ignore=ignore_patterns("__pycache__"))
            else:
                copy(ROOT / source, place)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_what_it_runs_works_in_a_clean_environment(tmp_path: Path) -> None:
    build = Build(tmp_path, "cpu")
    build.play()
    tuner = build.path("/opt/tuner/bin/tuner")
    clean: Mapping[str, str] = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    done = subprocess.run([tuner, "trainables", "--json"], cwd=tmp_path, env=clean, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "digits" in {row["name"] for row in json.loads(done.stdout)}
    words = ["kubernetes", "digits", "--storage", "s3://b/s", "--set", "tracking.uri=http://mlflow:5000"]
    done = subprocess.run([tuner, *words], cwd=tmp_path, env=clean, capture_output=True, text=True)
    assert done.returncode == 0 and "kind: RayJob" in done.stdout, done.stderr
    (packages,) = build.path("/opt/tuner/lib").glob("python*/site-packages")
    names = {path.name.split("-")[0] for path in packages.glob("*.dist-info")}
    assert "tensorflow" in names and not {"pytest", "pip", "uv"} & names
    assert not [name for name in names if name.startswith("nvidia")]

    # The GPU variant's packages are 3 GB: they are looked up, and not fetched.
    copy(ROOT / "deploy/requirements-gpu.lock", build.path("/build/image.lock"))
    sync = next(line for line in of("RUN", 0) if "uv pip sync" in line)
    done = build.run(f"{sync} --dry-run")
    assert done.returncode == 0, done.stderr
    assert re.search(r"Would install 1[0-9] packages", done.stderr) and "nvidia-cudnn-cu12" in done.stderr
    assert build.run(next(line for line in of("RUN", 0) if "case $VARIANT" in line), VARIANT="tpu").returncode == 1
