"""Ray's token: made for this user alone, and taken away from others where they could read it."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from tuner.backend.ray_token import PATH_VARIABLE, ensure_token
from tuner.base.errors import UsageError


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv(PATH_VARIABLE, "")
    monkeypatch.delenv("RAY_AUTH_TOKEN", raising=False)
    return tmp_path


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def ensured() -> list[str]:
    notes: list[str] = []
    ensure_token(notes.append)
    return notes


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
def test_a_new_token_is_its_users_alone_whatever_the_umask(home: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        (home / ".ray").mkdir()
        (home / ".ray").chmod(0o700)
        assert ensured() == []
    finally:
        os.umask(before)
    token = home / ".ray" / "auth_token"
    assert mode(token) == 0o600 and len(token.read_text()) == 64
    assert os.environ[PATH_VARIABLE] == str(token)


def test_its_folder_is_made_closed_and_the_token_stays(home: Path) -> None:
    assert ensured() == []
    text = (home / ".ray" / "auth_token").read_text()
    assert mode(home / ".ray") == 0o700
    assert ensured() == [] and (home / ".ray" / "auth_token").read_text() == text


@pytest.mark.parametrize("before", [0o644, 0o640, 0o604, 0o666, 0o660, 0o777])
def test_one_that_others_can_read_or_write_is_tightened_with_a_word(home: Path, before: int) -> None:
    token = home / ".ray" / "auth_token"
    token.parent.mkdir(0o755)
    token.write_text("secret")
    token.chmod(before)
    [note] = ensured()
    assert note.startswith(f"{token}, Ray's token, could be read by other users: its mode is 600 now")
    assert (mode(token), token.read_text()) == (0o600, "secret")
    assert ensured() == []


def test_a_link_of_the_users_own_leads_to_a_token_that_is_tightened(home: Path) -> None:
    elsewhere = home / "dotfiles-token"
    elsewhere.write_text("secret")
    elsewhere.chmod(0o644)
    (home / ".ray").mkdir(0o700)
    (home / ".ray" / "auth_token").symlink_to(elsewhere)
    assert len(ensured()) == 1 and mode(elsewhere) == 0o600


def test_a_link_to_nothing_is_not_written_through(home: Path) -> None:
    (home / ".ray").mkdir(0o700)
    (home / ".ray" / "auth_token").symlink_to(home / "victim")
    with pytest.raises(UsageError, match="needs a token in"):
        ensured()
    assert not (home / "victim").exists()


def test_a_folder_in_which_others_can_replace_it_is_closed(home: Path) -> None:
    (home / ".ray").mkdir()
    (home / ".ray").chmod(0o777)
    [note] = ensured()
    assert note == f"{home / '.ray'} could be written by other users: its mode is 700 now"
    assert mode(home / ".ray") == 0o700


def test_ray_s_own_variables_are_heeded(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named = home / "mine" / "token"
    monkeypatch.setenv(PATH_VARIABLE, str(named))
    assert ensured() == [] and mode(named) == 0o600
    monkeypatch.setenv("RAY_AUTH_TOKEN", "given")
    monkeypatch.setenv(PATH_VARIABLE, "/nonexistent/token")
    assert ensured() == [] and not (home / ".ray").exists()


def test_a_shared_folder_is_no_place_for_one(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "shared").mkdir()
    (home / "shared").chmod(0o777)
    monkeypatch.setenv(PATH_VARIABLE, str(home / "shared" / "token"))
    with pytest.raises(UsageError, match=f"but other users can write to .*shared; set {PATH_VARIABLE} to a file of"):
        ensured()
    assert mode(home / "shared") == 0o777


@pytest.mark.parametrize("where", ["/sys", "/proc", "/nonexistent", "/dev/null"])
def test_a_home_that_cannot_hold_one_is_one_line_that_names_the_variables(
    home: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    monkeypatch.setenv("HOME", where)
    with pytest.raises(UsageError) as refused:
        ensured()
    said = str(refused.value)
    assert said.startswith(
        f"Ray on this machine needs a token in {where}/.ray/auth_token, which cannot be made or read: "
    )
    assert said.endswith("; set RAY_AUTH_TOKEN_PATH to a file elsewhere, or HOME to a folder of yours")
    assert "\n" not in said and not Path("/nonexistent").exists()


def test_a_home_that_is_no_path_is_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "here")
    with pytest.raises(UsageError, match=r"\$HOME: must be an absolute path"):
        ensured()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give a file to another user")
def test_another_user_s_token_is_not_used(home: Path) -> None:
    token = home / ".ray" / "auth_token"
    token.parent.mkdir(0o700)
    token.write_text("secret")
    os.chown(token, 65534, 65534)
    with pytest.raises(UsageError, match="'s, who could run code as you; set RAY_AUTH_TOKEN_PATH"):
        ensured()


def test_what_is_no_token_is_told(home: Path) -> None:
    token = home / ".ray" / "auth_token"
    token.parent.mkdir(0o700)
    token.touch(0o600)
    with pytest.raises(UsageError, match="but that file is empty; delete it"):
        ensured()
    token.unlink()
    token.mkdir()
    with pytest.raises(UsageError, match="which is no file"):
        ensured()


def test_runs_that_begin_together_agree_on_one(home: Path) -> None:
    failed: list[BaseException] = []

    def run() -> None:
        try:
            ensured()
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == [] and mode(home / ".ray" / "auth_token") == 0o600
