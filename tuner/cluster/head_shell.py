"""Commands on the head of a cluster, over the launcher's ssh, from any machine that has the cluster file.

Ray's command runner knows the way: keys, jump hosts, containers. We ask it only for the ssh command and run that
ourselves, so that input, output and exit codes pass through unchanged.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tuner.base.errors import ServiceError, TunerError
from tuner.cluster.access import read_for_access

LOST = 255
"""ssh's exit code where the connection was refused or broke."""
CONNECT_TIMEOUT_S = 20
_STDERR = 2
PYTHON = (
    'python="$(dirname "$(command -v ray || echo .)")/python"; [ -x "$python" ] || python=python3; '
    '[ -n "${RAY_AUTH_MODE:-}" ] || [ ! -f "$HOME/.ray/auth_token" ] || export RAY_AUTH_MODE=token; '
)
"""Finds the interpreter beside the shell's `ray`, and uses Ray's token if there is one, as Ray itself does."""


class HeadShell:
    """A connection to the head of a running cluster."""

    def __init__(self, cluster_file: Path) -> None:
        """Finds the head.

        Raises:
            UsageError: the file cannot be read, or lacks what leads to its head; one line for each problem.
            ServiceError: the cluster has no head, or its provider does not answer.
        """
        self.cluster_file = cluster_file
        written = read_for_access(cluster_file)
        with _quiet_launcher(f"{cluster_file}: its head cannot be found"):
            self._config, self._provider, self._node = _find_head(written, cluster_file)

    @property
    def name(self) -> str:
        """The cluster's name."""
        return str(self._config["cluster_name"])

    @property
    def option(self) -> str:
        """The option that makes a command run here."""
        return f"--cluster {shlex.quote(str(self.cluster_file))}"

    def run(self, script: str) -> subprocess.CompletedProcess[str]:
        """Runs a shell script there and captures its output."""
        return subprocess.run(self.argv(script), stdin=subprocess.DEVNULL, capture_output=True, text=True)

    def pass_on(self, script: str, to_people: bool = False) -> int:
        """Runs a shell script there and passes its output on, all of it to standard error if it is for people.

        Returns:
            The exit code of the script.

        Raises:
            ServiceError: the connection to the head was refused or lost.
        """
        out = _STDERR if to_people else None
        code = subprocess.run(self.argv(script), stdin=subprocess.DEVNULL, stdout=out).returncode
        if code == LOST:
            raise ServiceError(f"{self.cluster_file}: the connection to the head of {self.name} failed or was lost")
        return code

    def copy(self, source: Path, target: str) -> None:
        """Copies the content of a folder into a folder there.

        Raises:
            ServiceError: the copy failed.
        """
        with _quiet_launcher(f"{self.name}: {source.name} could not be copied to the head"):
            self._runner(subprocess, has_terminal=True).run_rsync_up(f"{source}/", f"{target}/")

    def argv(self, script: str) -> list[str]:
        """The command that runs a script in a login shell on the head, as the launcher runs its own commands."""
        shell = f"source ~/.bashrc; ({PYTHON}{script}) 1>&4 2>&3"  # drops what a login prints
        command = f"bash --login -i -c {shlex.quote(shell)} 4>&1 3>&2 1>/dev/null 2>/dev/null"
        kept = _Kept()
        with _quiet_launcher(f"{self.name}: its head cannot be reached"):
            runner = self._runner(kept, has_terminal=False)
            runner.home_dir = "~"  # of a container: Ray would ask for it, through _Kept, and replace each ~ by ""
            runner.run(command, timeout=CONNECT_TIMEOUT_S, with_output=True)
        assert kept.argv is not None
        return [kept.argv[0], "-o", "LogLevel=ERROR", *kept.argv[1:]]

    def _runner(self, process_runner: Any, has_terminal: bool) -> Any:
        """Ray's command runner; with a terminal, both outputs of a command are one."""
        from ray.autoscaler._private.command_runner import set_using_login_shells

        set_using_login_shells(has_terminal)
        provider, config = self._config["provider"], self._config
        internal = provider.get("use_internal_ips", False) and not provider.get("use_external_head_ip", False)
        return self._provider.get_command_runner(
            "", self._node, config["auth"], config["cluster_name"], process_runner, internal, config.get("docker")
        )


class _Kept:
    """Takes the place of `subprocess` in a command runner: stores the command instead of running it."""

    argv: list[str] | None = None

    def check_output(self, argv: list[str]) -> bytes:
        self.argv = argv
        return b""


def _find_head(cluster: dict[str, Any], cluster_file: Path) -> tuple[dict[str, Any], Any, str]:
    """The bootstrapped config, its provider and the node id of the head."""
    from ray.autoscaler._private import commands
    from ray.autoscaler._private.providers import _get_node_provider

    config = commands._bootstrap_config(cluster)
    provider = _get_node_provider(config["provider"], config["cluster_name"])
    if config["provider"]["type"] == "local" and "head_ip" in config["provider"]:
        return config, provider, config["provider"]["head_ip"]  # another machine may have launched it
    return config, provider, commands._get_running_head_node(config, str(cluster_file), None, _provider=provider)


@contextlib.contextmanager
def _quiet_launcher(what: str) -> Iterator[None]:
    """Ray's launcher prints to both outputs and may exit: drops the output, and turns failures into one line."""
    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
            yield
    except TunerError:
        raise
    except (Exception, SystemExit) as error:
        lines = " ".join(str(error).split())
        raise ServiceError(f"{what}: {type(error).__name__}: {lines[:300]}") from error
    finally:
        logging.disable(level)
