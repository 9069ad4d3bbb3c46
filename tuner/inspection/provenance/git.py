"""The git commit that a sweep's code belongs to, and whether files differ from it. The repository is not changed.

What cannot be told is left out: without git, outside a repository, before a first commit, in another user's repository
or where git takes too long.
"""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from trainables.given import is_given
from trainables.importable import import_folder, is_importable
from trainables.scripts.commands import file_of, is_command
from tuner.base.secrets import holds_secret, redacted
from tuner.inspection.provenance.code import collect, is_shipped, main_file

LAUNCHED_FROM = "TUNER_LAUNCHED_FROM"
"""Set on a cluster: what is known of the repository from which the sweep was launched, as JSON."""
LIMIT_S = 5.0
"""For all that is asked, from the first question on."""
TEXT_CHARS_MAX = 500
_FILES_MAX = 500
_LOCATED = (
    "GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_NAMESPACE", "GIT_LITERAL_PATHSPECS",
)  # fmt: skip
"""Set by git for its hooks: the folder alone says which repository is meant."""
_SETTINGS = {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}


class _UnknownError(Exception):
    """Git does not answer, or has no answer."""


class GitReading:
    """Reads in the background what is known of the code's repository."""

    def __init__(self, trainable: str, source: str, code: Mapping[str, Any]) -> None:
        """Starts to read.

        Args:
            source: the path of the spec's file; anything else where there is none.
            code: the manifest of the trainable's code; empty if it is unknown.
        """
        self._found: dict[str, Any] = {}
        folder = code_folder(trainable, source)
        is_own = not (is_given(trainable) or is_shipped(trainable))
        files = [name for name in code.get("files", ()) if is_own and name.endswith(".py")]
        self._thread = threading.Thread(target=self._read, args=(folder, files), daemon=True, name="tuner-git")
        self._thread.start()

    def _read(self, folder: Path, files: list[str]) -> None:
        launched_from = os.environ.get(LAUNCHED_FROM)
        self._found = read_git(folder, files) if launched_from is None else _parsed(launched_from)

    def result(self) -> dict[str, Any]:
        """What `read_git` returns; empty if it takes too long."""
        self._thread.join(LIMIT_S + 1)
        return self._found


def launched_from(trainable: str) -> dict[str, str]:
    """The variable that tells a cluster's driver what is known here, as the code is shipped without its repository."""
    code = collect(trainable)
    found = GitReading(trainable, "", {} if code is None else code.manifest).result()
    return {LAUNCHED_FROM: json.dumps(found)} if found else {}


def _parsed(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def code_folder(trainable: str, source: str) -> Path:
    """The folder whose repository a sweep's code belongs to: the trainable's, or the spec's for what Tuner ships."""
    if is_importable(trainable) and (folder := import_folder(trainable)):
        return Path(folder)
    if is_command(trainable) and (file := file_of(trainable)):
        return Path(file).resolve().parent
    if not (is_given(trainable) or is_shipped(trainable) or is_command(trainable)):
        return main_file(trainable).parent
    return Path(source).resolve().parent if os.path.isfile(source) else Path(".")


def read_git(folder: Path, files: Iterable[str] = (), limit_s: float = LIMIT_S) -> dict[str, Any]:
    """`commit`, `branch` and `url` of a folder's repository, as text, and `dirty`, each if it is known.

    Credentials are removed from the address.

    Args:
        files: code in the folder, by relative names. The commit is not all of it where one of them is not tracked.
        limit_s: seconds after which nothing more is asked.

    Returns:
        Nothing for a folder that git ignores, such as an environment's: no commit holds it.
    """
    ask = _Git(folder, time.monotonic() + limit_s)
    found: dict[str, Any] = {}
    try:
        found["commit"] = ask("rev-parse", "--verify", "HEAD^{commit}")
        if ask.succeeds("check-ignore", "--quiet", "."):
            return {}
    except _UnknownError:
        return {}
    for name, question in (
        ("branch", ("symbolic-ref", "--quiet", "--short", "HEAD")),
        ("url", ("config", "--get", "remote.origin.url")),
    ):
        try:
            found[name] = _public(ask(*question))[:TEXT_CHARS_MAX]
        except _UnknownError:
            continue
    with suppress(_UnknownError):
        found["dirty"] = _is_dirty(ask, list(files)[:_FILES_MAX])
    return {name: value for name, value in found.items() if value != ""}


def _public(text: str) -> str:
    """A branch or an address without credentials; empty if some may be left."""
    scheme, mark, rest = text.partition("://")
    if mark:
        authority, slash, path = rest.partition("/")
        host = authority.rpartition("@")[2]
        port = "" if host.startswith("[") else host.partition(":")[2]
        if port and not port.isdecimal():  # the begin of a password with a slash
            return ""
        text = f"{scheme}://{host}{slash}{path}"
    text = redacted(text)
    return "" if holds_secret("", text) else text


def _is_dirty(ask: _Git, files: list[str]) -> bool:
    """Whether the commit is not what lies there: tracked files were changed, or some code is not tracked.

    Other untracked files, such as the sweeps themselves, do not matter.
    """
    if ask("status", "--porcelain", "--untracked-files=no"):
        return True
    if not files:
        return False
    tracked = ask("--literal-pathspecs", "ls-files", "-z", "--", *files).split("\0")
    return not set(map(os.path.normpath, files)) <= set(tracked)


class _Git:
    """Asks git about one folder, until a time by the monotonic clock."""

    def __init__(self, folder: Path, until: float) -> None:
        # A repository's own settings may name a program that `status` would run.
        self._command = ["git", "-C", str(folder), "-c", "core.fsmonitor=false", "-c", "core.quotePath=false"]
        self._until = until
        inherited = {name: text for name, text in os.environ.items() if name not in _LOCATED}
        self._environment = inherited | _SETTINGS

    def __call__(self, *question: str) -> str:
        """The answer, without the newline at its end.

        Raises:
            _UnknownError: there is none.
        """
        done = self._run(question)
        if done.returncode:
            raise _UnknownError
        return done.stdout.decode(errors="replace").rstrip("\n")

    def succeeds(self, *question: str) -> bool:
        return self._run(question).returncode == 0

    def _run(self, question: tuple[str, ...]) -> subprocess.CompletedProcess[bytes]:
        left_s = self._until - time.monotonic()
        if left_s <= 0:
            raise _UnknownError
        try:
            return subprocess.run(
                [*self._command, *question],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=left_s,
            )
        except (OSError, ValueError, subprocess.SubprocessError):
            raise _UnknownError from None
