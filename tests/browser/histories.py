"""Sweeps that nobody trained, recorded in MLflow: the real coordinator and recorder, and curves instead of networks."""

from __future__ import annotations

import hashlib
from pathlib import Path

from tests.simulation import Curve, SimulatedCluster, accuracy, coordinator_of
from tuner.spec import SweepSpec, dump_yaml
from tuner.storage import SweepFolder
from tuner.storage.journal import create_sweep
from tuner.sweep import events as ev


def simulate(root: Path, spec: SweepSpec, curve: Curve = accuracy, script: bool = False) -> SweepFolder:
    """The finished sweep of a spec in a storage root."""
    sweep_id = hashlib.sha256(spec.name.encode()).hexdigest()[:32]
    written, seed = spec.resolved(), spec.search.seed
    started = ev.SweepStarted(spec=written, versions={}, seed=seed, sweep_id=sweep_id, script=script)
    journal = create_sweep(SweepFolder(root / spec.name), dump_yaml(written), started)
    assert SimulatedCluster(coordinator_of(journal), curve).run()
    journal.append(ev.SweepEnded(reason="all trials ended"))
    journal.close()
    return journal.folder


def recorded(root: Path, spec: SweepSpec, curve: Curve = accuracy, script: bool = False) -> SweepFolder:
    """The same, recorded in the root's own tracking store."""
    from tuner.recording import record  # imports MLflow

    folder = simulate(root, spec, curve, script)
    record(folder)
    return folder
