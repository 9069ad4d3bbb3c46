"""Sweeps that nobody trained, recorded in MLflow: the real coordinator and recorder, and curves instead of networks."""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.simulation import Curve, SimulatedCluster, accuracy, coordinator_of
from tuner.spec import SweepSpec, dump_yaml
from tuner.storage import SweepFolder
from tuner.storage.journal import create_sweep
from tuner.sweep import events as ev


def simulate(
    root: Path, spec: SweepSpec, curve: Curve = accuracy, script: bool = False, has_model: bool = False
) -> SweepFolder:
    """The finished sweep of a spec in a storage root; `has_model` says that the best trial's weights are kept."""
    sweep_id = hashlib.sha256(spec.name.encode()).hexdigest()[:32]
    written, seed = spec.resolved(), spec.search.seed
    started = ev.SweepStarted(spec=written, versions={}, seed=seed, sweep_id=sweep_id, script=script)
    journal = create_sweep(SweepFolder(root / spec.name), dump_yaml(written), started)
    assert SimulatedCluster(coordinator_of(journal), curve).run()
    if has_model and (best := journal.sweep.best) is not None:
        path, epoch = f"checkpoints/{best.number:06}/best.npz", best.best_epoch
        journal.append(ev.CheckpointSaved(trial=best.number, epoch=epoch, path=path, best_epoch=epoch, kind="best"))
    journal.append(ev.SweepEnded(reason="all trials ended"))
    journal.close()
    return journal.folder


def recorded(
    root: Path, spec: SweepSpec, curve: Curve = accuracy, script: bool = False, has_model: bool = False
) -> SweepFolder:
    """The same, recorded in the root's own tracking store; its model is a few bytes."""
    from tuner.recording import record  # imports MLflow
    from tuner.recording.models import building

    folder = simulate(root, spec, curve, script, has_model)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(building.Builder, "build", _build)
        record(folder)
    return folder


def _build(self: Any, *_: Any) -> Path:
    """What the process with TensorFlow leaves of a model."""
    built = Path(tempfile.mkdtemp(dir=self._scratch.name))
    (built / "model.keras").write_bytes(b"a model")
    packages = {"keras": "keras==3.15.1", "tensorflow": "tensorflow==2.21.0", "numpy": "numpy==2.4.6"}
    described = {"packages": packages, "backend": "tensorflow", "objects": {}}
    (built / "model.json").write_text(json.dumps(described))
    return built
