"""What a real git says of the folder of a sweep's code."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tuner.inspection.provenance.code import collect
from tuner.inspection.provenance.git import GitReading, code_folder, launched_from, read_git

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")


def git(folder: Path, *arguments: str) -> str:
    named = ["-c", "user.name=A", "-c", "user.email=a@b", "-c", "init.defaultBranch=main", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *named, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / "model.py").write_text("one = 1\n")
    git(folder, "init", "--quiet")
    git(folder, "add", "model.py")
    git(folder, "commit", "--quiet", "-m", "first")
    return folder


def test_a_clean_repository_has_commit_and_branch(repository: Path) -> None:
    commit = git(repository, "rev-parse", "HEAD")
    assert read_git(repository, ["model.py"]) == {"commit": commit, "branch": "main", "dirty": False}


def test_what_differs_from_the_commit_is_dirty(repository: Path) -> None:
    (repository / "mlflow.db").write_text("a sweep's")
    assert read_git(repository, ["model.py"])["dirty"] is False
    (repository / "layers.py").write_text("")
    assert read_git(repository, ["model.py", "layers.py"])["dirty"] is True, "code that is in no commit"
    (repository / "layers.py").unlink()
    (repository / "model.py").write_text("one = 2\n")
    assert read_git(repository)["dirty"] is True


def test_code_in_a_folder_of_the_repository(repository: Path) -> None:
    folder = repository / "sweeps and models"
    folder.mkdir()
    (folder / "ä.py").write_text("")
    assert read_git(folder, ["ä.py"])["dirty"] is True
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "-m", "second")
    assert read_git(folder, ["ä.py"])["dirty"] is False


def test_a_detached_head_has_no_branch(repository: Path) -> None:
    git(repository, "checkout", "--quiet", "--detach")
    assert read_git(repository).keys() == {"commit", "dirty"}


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("https://me:hunter2hunter2@example.org/me/it.git", "https://example.org/me/it.git"),
        ("https://ghp_0123456789abcdef0123456789abcdef0123@example.org/it", "https://example.org/it"),
        ("https://example.org/it?private_token=abcdefgh", "https://example.org/it?private_token=***"),
        ("git@example.org:me/it.git", "git@example.org:me/it.git"),
        ("https://me:it's\"hunter2@example.org/it", "https://example.org/it"),
        ("https://me:hunter@2@example.org:8443/@me/it", "https://example.org:8443/@me/it"),
        ("ssh://[::1]:22/it", "ssh://[::1]:22/it"),
    ],
)
def test_the_address_has_no_credentials(repository: Path, url: str, told: str) -> None:
    git(repository, "remote", "add", "origin", url)
    assert read_git(repository)["url"] == told


@pytest.mark.parametrize(
    "url", ["https://me:hunter2/hunter2@example.org/it", "https://example.org/glpat-0123456789abcdef0123/it"]
)
def test_an_address_that_may_hold_a_secret_elsewhere_is_left_out(repository: Path, url: str) -> None:
    git(repository, "remote", "add", "origin", url)
    assert read_git(repository).keys() == {"commit", "branch", "dirty"}


def test_a_secret_of_the_environment_is_no_part_of_an_address(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEPLOY_TOKEN", "quite-a-secret")
    git(repository, "remote", "add", "origin", "ssh://host/quite-a-secret/it.git")
    assert read_git(repository)["url"] == "ssh://host/***/it.git"


def test_outside_a_repository_nothing_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert read_git(tmp_path) == {}
    assert read_git(tmp_path / "gone") == {}
    git(tmp_path, "init", "--quiet")
    assert read_git(tmp_path) == {}, "there is no commit yet"


def test_of_a_folder_that_git_ignores_no_commit_tells(repository: Path) -> None:
    (repository / ".gitignore").write_text("/packages/\n")
    (repository / "packages").mkdir()
    assert read_git(repository / "packages") == {}


def test_without_git_nothing_is_known(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert read_git(repository) == {}


def test_another_users_repository_is_not_read(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    assert read_git(repository) == {}


def test_the_folder_counts_not_what_a_hook_of_git_has_set(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = git(repository, "rev-parse", "HEAD")
    for name in ("GIT_DIR", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY"):
        monkeypatch.setenv(name, str(tmp_path / "elsewhere"))
    assert read_git(repository)["commit"] == commit


def test_a_git_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "git").write_text("#!/bin/sh\nexec sleep 600\n")
    (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    began = time.monotonic()
    assert read_git(tmp_path, limit_s=0.2) == {}
    assert time.monotonic() - began < 60


def test_nothing_in_the_repository_is_written(repository: Path) -> None:
    os.utime(repository / "model.py", (1, 1))  # as if git had to look again
    before = (repository / ".git" / "index").read_bytes()
    assert read_git(repository)["dirty"] is False
    assert (repository / ".git" / "index").read_bytes() == before


def test_a_programme_that_the_repository_names_is_not_run(repository: Path, tmp_path: Path) -> None:
    hook = tmp_path / "hook"
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    hook.chmod(0o755)
    git(repository, "config", "core.fsmonitor", str(hook))
    assert read_git(repository)["dirty"] is False
    assert not (tmp_path / "ran").exists()


def test_the_folder_is_the_trainables_or_the_specs(repository: Path) -> None:
    spec = repository / "sweep.yaml"
    spec.write_text("")
    assert code_folder(f"{repository}/model.py:Model", "elsewhere.yaml") == repository
    assert code_folder("digits", str(spec)) == repository
    assert code_folder("digits", "<spec>") == Path(".")


def test_it_is_read_beside_other_work(repository: Path) -> None:
    trainable = f"{repository}/model.py:Model"
    code = collect(trainable)
    assert code is not None
    found = GitReading(trainable, "", code.manifest).result()
    assert found == {"commit": git(repository, "rev-parse", "HEAD"), "branch": "main", "dirty": False}


def test_a_clusters_driver_is_told_by_whoever_launches(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainable = f"{repository}/model.py:Model"
    told = launched_from(trainable)
    shutil.copy(repository / "model.py", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    shipped = f"{tmp_path}/model.py:Model"
    assert launched_from(shipped) == {}
    for name, text in told.items():
        monkeypatch.setenv(name, text)
    assert GitReading(shipped, "", {}).result()["commit"] == git(repository, "rev-parse", "HEAD")
    monkeypatch.setenv("TUNER_LAUNCHED_FROM", "[")
    assert GitReading(shipped, "", {}).result() == {}
