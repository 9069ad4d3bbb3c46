"""What a script logs to MLflow: epochs of its metrics, and a server that only its own process may ask."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from trainables.scripts import mlflow_artifacts, mlflow_epochs
from trainables.scripts.mlflow_epochs import LoggedEpochs
from trainables.scripts.mlflow_server import RunServer, TrialRun


def epochs_of(logged: list[tuple[str, float, int]], objective: str = "loss") -> list[dict[str, float]]:
    epochs = LoggedEpochs(objective, lambda: None)
    for metric in logged:
        epochs.log(*metric)
    epochs.flush()
    return list(iter(epochs.take, None))


@pytest.mark.parametrize("steps", [(0, 1, 2), (1, 2, 3), (100, 200, 300)])
def test_each_step_with_the_objective_is_an_epoch(steps: tuple[int, ...]) -> None:
    logged = [item for at in steps for item in (("loss", 0.1 * at, at), ("accuracy", at, at))]
    assert epochs_of(logged) == [{"loss": 0.1 * at, "accuracy": at} for at in steps]


def test_without_steps_each_objective_is_an_epoch() -> None:
    logged = [("accuracy", 1, 0), ("loss", 1, 0), ("accuracy", 2, 0), ("loss", 2, 0)]
    assert epochs_of(logged) == [{"accuracy": 1, "loss": 1}, {"accuracy": 2, "loss": 2}]


def test_what_is_logged_between_objectives_belongs_to_the_next() -> None:
    logged = [("rate", 0.1, 0), ("batch", 1, 1), ("batch", 2, 2), ("loss", 3, 2), ("batch", 4, 3), ("loss", 5, 4)]
    assert epochs_of(logged) == [{"rate": 0.1, "batch": 2, "loss": 3}, {"batch": 4, "loss": 5}]


def test_an_expression_is_there_with_all_its_metrics() -> None:
    logged = [(name, float(at), at) for at in (1, 2) for name in ("a", "b", "c")]
    assert epochs_of(logged, "a + b") == [{"a": 1, "b": 1, "c": 1}, {"a": 2, "b": 2, "c": 2}]


def test_an_epoch_is_complete_once_nothing_more_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    monkeypatch.setattr(mlflow_epochs, "QUIET_S", 0.01)
    told = threading.Event()
    epochs = LoggedEpochs("loss", told.set)
    epochs.log("accuracy", 1, 1)
    assert not told.wait(0.1)
    epochs.log("loss", 1, 1)
    assert told.wait(10) and epochs.take() == {"accuracy": 1, "loss": 1} and epochs.take() is None


@pytest.fixture
def server() -> Iterator[RunServer]:
    server = RunServer()
    server.run = TrialRun("trial 3", "loss", "file:///nowhere", lambda: None)
    yield server
    server.close()


def ask(server: RunServer, path: str, asked: dict[str, Any], token: str | None = None) -> dict[str, Any]:
    told = server.environment()
    request = urllib.request.Request(
        f"{told['MLFLOW_TRACKING_URI']}/api/2.0/mlflow/{path}",
        json.dumps(asked).encode(),
        {"Authorization": f"Bearer {told['MLFLOW_TRACKING_TOKEN'] if token is None else token}"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        found: dict[str, Any] = json.loads(answer.read())
        return found


def test_every_run_is_the_trials_own_but_for_nested_ones(server: RunServer) -> None:
    run = server.run
    assert run is not None
    for name in ("first", "second"):
        info = ask(server, "runs/create", {"run_name": name, "tags": [{"key": "mlflow.user", "value": "x"}]})["run"]
        assert info["info"]["run_id"] == run.run_id
    parent = [{"key": "mlflow.parentRunId", "value": run.run_id}]
    nested = ask(server, "runs/create", {"run_name": "fold", "tags": parent})["run"]["info"]["run_id"]
    assert nested != run.run_id
    ask(server, "runs/log-metric", {"run_id": nested, "key": "loss", "value": 1, "step": 0})
    batch = {"metrics": [{"key": "loss", "value": 2, "step": 0}, {"key": "system/cpu", "value": 3}]}
    ask(server, "runs/log-batch", {"run_id": run.run_id, **batch, "params": [{"key": "p", "value": "1"}]})
    ask(server, "runs/set-tag", {"run_id": run.run_id, "key": "who", "value": "me"})
    run.epochs.flush()
    assert run.epochs.take() == {"fold/loss": 1, "loss": 2}
    assert run.take_logged() == {"params": {"p": "1"}, "tags": {"who": "me"}}
    assert run.take_logged() == {"params": {}, "tags": {}}


def test_others_are_refused(server: RunServer) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        ask(server, "runs/log-metric", {"key": "loss", "value": 1}, token="guessed")
    assert caught.value.code == 401
    caught.value.close()
    assert server.run is not None and not server.run.was_used


@pytest.mark.parametrize("path", ["registered-models/create", "runs/unheard-of", "experiments/delete"])
def test_what_is_not_known_is_refused_as_mlflow_does(server: RunServer, path: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        ask(server, path, {})
    assert caught.value.code == 404 and json.loads(caught.value.read())["error_code"] == "ENDPOINT_NOT_FOUND"
    caught.value.close()


def artifact(server: RunServer, path: str, data: bytes | None = None) -> bytes:
    told = server.environment()
    url = f"{told['MLFLOW_TRACKING_URI']}/api/2.0/mlflow-artifacts/artifacts{path}"
    headers = {"Authorization": f"Bearer {told['MLFLOW_TRACKING_TOKEN']}"}
    request = urllib.request.Request(url, data, headers, method="GET" if data is None else "PUT")
    with urllib.request.urlopen(request, timeout=30) as answer:
        content: bytes = answer.read()
        return content


def test_artifacts_are_kept_up_to_a_bound_and_can_be_read_again(
    server: RunServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, told = dict[str, bytes](), list[str]()

    def keep(trial: int, name: str, path: Path) -> None:
        kept[name] = path.read_bytes()

    assert server.run is not None
    server.run.kept = mlflow_artifacts.KeptArtifacts(3, tmp_path / "files", keep, told.append)
    monkeypatch.setattr(mlflow_artifacts, "FILES_MAX", 2)
    for name in ("model/a", "b", "c", "d"):
        artifact(server, f"/run/{name}", name.encode())
    assert kept == {"model/a": b"model/a", "b": b"b"}
    [line] = told
    assert line.startswith("the artifact c of its script is not kept") and "at most 2 files and 1024 MiB" in line
    assert artifact(server, "/run/model/a") == b"model/a"
    assert json.loads(artifact(server, "?path=run"))["files"][-1] == {"path": "model", "is_dir": True}
    assert json.loads(artifact(server, "?path=run/model"))["files"] == [{"path": "a", "is_dir": False, "file_size": 7}]
    for path in ("/run/none", "/other/b", "/run/../files/b", "?path=elsewhere/b"):
        with pytest.raises(urllib.error.HTTPError) as caught:
            artifact(server, path)
        assert caught.value.code == 404
        caught.value.close()
