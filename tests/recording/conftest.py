"""A journal written by hand, event by event, as a driver would; and what came of it in the tracking database."""

from __future__ import annotations

import re
import shutil
import warnings
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy
from sqlalchemy import NullPool

from tests.recording.histories import Checker
from tuner.base.words import Params, Scalar
from tuner.storage import StorageRoot, SweepFolder
from tuner.sweep import events as ev

SPACE = {
    "learning_rate": {"low": 1e-4, "high": 1e-1, "scale": "log"},
    "schedule": {"choices": ["constant", "exponential"]},
    "decay_rate": {"low": 0.1, "high": 0.9, "when": {"schedule": "exponential"}},
}


class Story:
    """Appends events to a sweep's journal, one second after another, and keeps them."""

    def __init__(self, folder: SweepFolder, script: bool = False, **spec: Any) -> None:
        folder.path.mkdir(parents=True)
        self.folder = folder
        self.events: list[ev.AnyEvent] = []
        self.spec = {
            "name": folder.name,
            "trainable": "digits",
            "objective": {"metric": "val_accuracy", "mode": "max"},
            "num_trials": 4,
            "space": SPACE,
            "tracking": {"uri": None, "experiment": "digits"},
        } | spec
        self.add(ev.SweepStarted(spec=self.spec, versions={}, seed=7, sweep_id=f"id-{folder.name}", script=script))

    def add(self, *events: ev.AnyEvent) -> None:
        for event in events:
            seq = len(self.events)
            self.events.append(msgspec.structs.replace(event, at=1_700_000_000.0 + seq, seq=seq))
            with open(self.folder.journal, "ab") as file:
                file.write(ev.encode(self.events[-1]))

    def suggest(self, trial: int, **params: Scalar) -> None:
        common: Params = {"learning_rate": 0.001, "batch_size": 32, "epochs": 3, "schedule": "constant"}
        self.add(ev.TrialSuggested(trial=trial, params=common | params, origin="tpe"))
        self.add(ev.TrialStarted(trial=trial, attempt=1, node="here", pid=1, gpus=[]))

    def epoch(self, trial: int, epoch: int, value: float | None) -> None:
        metrics: ev.Metrics = {"loss": value, "val_accuracy": value, "epoch_s": 0.5}
        self.add(
            ev.EpochReported(
                trial=trial, attempt=1, epoch=epoch, metrics=metrics, epoch_s=0.5, decision="continue", reason=""
            )
        )

    def end(self, trial: int, outcome: str, reason: str = "") -> None:
        self.add(ev.TrialEnded(trial=trial, outcome=outcome, reason=reason))

    def trial(self, trial: int, values: list[float | None], outcome: str = "completed") -> None:
        self.suggest(trial)
        for epoch, value in enumerate(values, 1):
            self.epoch(trial, epoch, value)
        self.end(trial, outcome)


@pytest.fixture(scope="session")
def new_story() -> type[Story]:
    """For tests that need another folder, spec or size."""
    return Story


@pytest.fixture
def story(tmp_path: Path) -> Story:
    return Story(StorageRoot(tmp_path).sweep("s"))


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tracking database as it is before any sweep; making one takes seconds."""
    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from tuner.recording.sqlite import create_database

        create_database(f"sqlite:///{path}")
    return path


@pytest.fixture
def recorded(story: Story, empty_database: Path) -> Story:
    """A story whose storage root has an empty tracking database."""
    shutil.copy(empty_database, story.folder.root.path / "mlflow.db")
    return story


class Database:
    """What a tracking database, of a path or an SQL URI, holds; read behind MLflow's back."""

    def __init__(self, at: Path | str, experiment: str | None = None) -> None:
        """Looks at one experiment alone where it is named."""
        self._engine = sqlalchemy.create_engine(f"sqlite:///{at}" if isinstance(at, Path) else at, poolclass=NullPool)
        here = f"(select experiment_id from experiments where name = '{experiment}')" if experiment else "experiment_id"
        self._active = f"r.lifecycle_stage = 'active' and r.experiment_id in ({here})"

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with self._engine.connect() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(query)]

    def execute(self, statement: str) -> None:
        with self._engine.begin() as connection:
            connection.exec_driver_sql(statement)

    def runs(self) -> dict[str, tuple[str, int, int | None]]:
        """Status, start and end of each active run by its name, which must be unique."""
        rows = self.rows(f"select name, status, start_time, end_time from runs r where {self._active}")
        assert len({name for name, *_ in rows}) == len(rows), "a run was made twice"
        return {_short(name): (status, start, end) for name, status, start, end in rows}

    def values(self, table: str, name: str) -> dict[str, str]:
        """Params or tags of a run."""
        query = f"select t.key, t.value from {table} t join runs r on r.run_uuid = t.run_uuid where {_named(name)}"
        return dict(self.rows(query))  # type: ignore[arg-type]

    def metric(self, name: str, key: str) -> list[tuple[int, int, float | None]]:
        """Step, time and value (None for NaN) of every row of a run's metric."""
        return self.rows(  # type: ignore[return-value]
            "select m.step, m.timestamp, case when m.is_nan then null else m.value end from metrics m"
            f" join runs r on r.run_uuid = m.run_uuid where {_named(name)} and m.key = '{key}' order by 1, 2"
        )

    def everything(self) -> dict[str, list[tuple[Any, ...]]]:
        """All that must not depend on how often the recorder was interrupted; runs by name, as ids differ."""
        run = f"join runs r on r.run_uuid = t.run_uuid and {self._active}"
        no_ids = "t.key not in ('mlflow.parentRunId', 'tuner.best_run_id', 'mlflow.user', 'mlflow.source.name')"
        value = "case when t.is_nan then null else t.value end"
        found = {
            "runs": [(name, *rest) for name, rest in self.runs().items()],
            "params": self.rows(f"select r.name, t.key, t.value from params t {run}"),
            "tags": self.rows(f"select r.name, t.key, t.value from tags t {run} where {no_ids}"),
            "metrics": self.rows(f"select r.name, t.key, t.step, t.timestamp, {value} from metrics t {run}"),
            "newest": self.rows(f"select r.name, t.key, t.step, {value} from latest_metrics t {run}"),
        }
        return {what: sorted(map(_comparable, rows), key=repr) for what, rows in found.items()}


def _short(name: str) -> str:
    """A trial's run is called `trial 7` here, without its parameters."""
    return name.split(" · ")[0]


def _comparable(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """Without the experiment's id, which a link in the sweep's description has."""
    name, *rest = row
    return _short(name), *(re.sub(r"#/experiments/\d+/", "", item) if isinstance(item, str) else item for item in rest)


def _named(name: str) -> str:
    return f"(r.name = '{name}' or r.name like '{name} · %')"


@pytest.fixture(scope="session")
def new_database() -> type[Database]:
    return Database


@pytest.fixture
def database(story: Story) -> Database:
    return Database(story.folder.root.path / "mlflow.db")


@pytest.fixture
def checker(new_database: type[Database], empty_database: Path, tmp_path: Path) -> Checker:
    return Checker(new_database, empty_database, tmp_path)
