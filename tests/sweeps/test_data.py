"""Sweeps over folders of files: streamed by every slot from one cache, and recorded without their rows."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests import folders
from tests.sweeps.conftest import MODELS, Cli, check_history
from tuner.sweep import events as ev

pytestmark = pytest.mark.slow(25)


def test_a_streamed_folder_of_images_is_searched_and_recorded(
    cli: Cli, tiny_spec: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    root = folders.images(tmp_path / "images", 400)
    (root / "dark" / "Thumbs.db").touch()
    spec = tiny_spec(
        trainable=f"{MODELS / 'from_files.py'}:StreamedImages",
        data=str(root),
        objective={"metric": "val_accuracy", "mode": "max"},
        num_trials=2,
        epochs={"min": 1, "max": 2},
    )
    done = cli("run", spec, "--name", "streamed")
    assert "warning: data: " in done.stderr and "left out are files that are no images" in done.stderr
    sweep = check_history(cli.folder("streamed"))
    assert sweep.best is not None and sweep.best.test_metrics
    started = cli.events("streamed")[0]
    assert isinstance(started, ev.SweepStarted)
    described = started.data["described"]
    assert described["examples"] == {"train": 280, "validation": 80, "test": 40}
    assert described["class_counts"]["test"] == {"dark": 20, "light": 20} and described["streamed_bytes"]
    assert started.data["arrays"]["train"]["whole"]
    assert len(list((tmp_path / "cache" / "tuner" / "decoded").glob("*/rows.bin"))) == 1
    with closing(sqlite3.connect(Path(cli.root) / "mlflow.db")) as database:
        names = [name for (name,) in database.execute("SELECT name FROM datasets ORDER BY name")]
        ((told,),) = database.execute("SELECT value FROM tags WHERE key = 'tuner.data'")
    assert names == [f"{root} ({part})" for part in ("test", "train", "validation")]
    assert told.endswith("train 280, validation 80, test 40; classes of train: dark 140, light 140")
    (artifact,) = Path(cli.root).glob("mlartifacts/**/data.json")
    assert json.loads(artifact.read_text()) == started.data
    (root / "dark" / "00000.png").write_bytes((root / "dark" / "00002.png").read_bytes())
    refused = cli("resume", "streamed", "--set", "num_trials=3", exit_code=2)
    assert "data: must be those that the sweep was trained with, but" in refused.stderr
