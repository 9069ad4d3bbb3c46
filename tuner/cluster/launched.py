"""The folder of a launched sweep on the head, and `tuner` commands with its code, storage and secrets.

    ~/.tuner/launched/NAME/project/       tuner, trainables, the user's code and sweep.yaml: the job's working directory
    ~/.tuner/launched/NAME/environment    variables of its driver, readable by its owner only

`python -m tuner.cluster.launched NAME COMMAND…` runs such a command: as the entry point of a job, or for a laptop.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from tuner.base.user import LAUNCHED_BY
from tuner.storage.commands import ASKED_BY

SPEC = "sweep.yaml"
FOLDER = ".tuner/launched"
"""Below the home folder."""
LAUNCHED = "TUNER_LAUNCHED"
"""Set in commands that run in such a folder."""


@dataclass(frozen=True)
class Launched:
    """One launched sweep, on the head."""

    name: str

    @property
    def folder(self) -> Path:
        return Path.home() / FOLDER / self.name

    @property
    def project(self) -> Path:
        return self.folder / "project"

    @property
    def environment(self) -> Path:
        return self.folder / "environment"

    @property
    def option(self) -> str:
        """The option that its driver adds to the commands in its messages; empty if the storage is unknown."""
        try:
            storage = json.loads(self.environment.read_text()).get("TUNER_STORAGE")
        except OSError:
            return ""
        return f"--storage {shlex.quote(storage)}" if storage else ""

    def exists(self) -> bool:
        return self.project.is_dir()

    def install(self, incoming: Path) -> None:
        """Replaces the folder's content by the files of a launch; running jobs have their own copy."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for part in (self.project, self.environment):
            if part.exists():
                part.rename(incoming / f"{part.name}.before")
            (incoming / part.name).rename(part)

    @property
    def owner(self) -> str:
        """NAME@HOST of whoever launched it; empty if unknown."""
        return launched_by(self.environment)

    def requirements(self) -> list[str]:
        """The packages that its spec needs besides ours."""
        from ruamel.yaml import YAML
        from ruamel.yaml.error import YAMLError

        try:
            spec = YAML(typ="safe").load(self.project / SPEC)
        except (OSError, YAMLError):
            return []
        return [str(one) for one in spec.get("requirements") or ()] if isinstance(spec, dict) else []

    def command(self, *arguments: str, python: str = sys.executable) -> list[str]:
        """A `tuner` command on this sweep, as a process.

        Args:
            python: the interpreter; with `requirements` the one of the job's environment, which is first on its PATH.
        """
        return [python, "-m", "tuner.cluster.launched", self.name, *arguments]


def launched_by(environment: Path) -> str:
    """Whose the files of a launch are, by their variables."""
    try:
        return str(json.loads(environment.read_text()).get(LAUNCHED_BY, ""))
    except (OSError, ValueError):
        return ""


def main() -> None:
    """Replaces this process by the command."""
    launched = Launched(sys.argv[1])
    os.environ.update(json.loads(launched.environment.read_text()))
    if option := launched.option:  # its messages are read on other machines
        os.environ.setdefault(ASKED_BY, option)
    os.environ[LAUNCHED] = launched.name
    os.environ["RAY_CHDIR_TO_TRIAL_DIR"] = "0"  # workers stay in the job's working directory, where the code is
    os.execv(sys.executable, [sys.executable, "-m", "tuner.cli.main", *sys.argv[2:]])


if __name__ == "__main__":
    main()
