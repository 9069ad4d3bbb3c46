"""Commands about a sweep that runs elsewhere: on Kubernetes, or on a cluster of machines."""

from __future__ import annotations

from collections.abc import Sequence

import typer

from tuner.cli.cluster_command import There, ask_there
from tuner.cli.kubernetes_there import Pods


def asked_elsewhere(
    sweep: str,
    words: Sequence[str],
    storage: str | None,
    cluster: str | None,
    address: str | None,
    kubernetes: bool,
    namespace: str | None,
) -> str | None:
    """Has a command answered where the sweep runs, and exits with its code.

    Args:
        words: the command.

    Returns:
        Where nothing runs elsewhere: the storage root, from which this machine can answer.
    """
    if (pods := Pods.asked(kubernetes, namespace, cluster, address)) is not None:
        return pods.answer(sweep, words, storage)
    if (there := There.asked(cluster, address)) is not None:
        raise typer.Exit(ask_there(there, sweep, list(words), {"--storage": storage}))
    return storage
