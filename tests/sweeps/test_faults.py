"""Faults injected for real into real sweeps; each history ends with the offline checker."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.sweeps.conftest import ONE_SLOT, SLOW_SPACE, Cli, finish, kill_group, outputs, slowed
from tuner.recording import read_cursor
from tuner.review.verification import verify_sweep
from tuner.sweep import Sweep, fold
from tuner.sweep import events as ev

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")]


def verified(cli: Cli, name: str = "tiny", acknowledged: Sequence[ev.AnyEvent] = ()) -> Sweep:
    """The finished sweep, after the checker found nothing wrong with journal, MLflow store and checkpoints."""
    found = verify_sweep(cli.folder(name), acknowledged=acknowledged)
    assert found.ok, "\n".join(str(finding) for finding in found.findings)
    sweep = fold(cli.events(name))
    assert sweep.ended is not None and sweep.ended.state == "finished"
    return sweep


def failed_attempts(cli: Cli, name: str = "tiny") -> list[ev.AttemptFailed]:
    return [event for event in cli.events(name) if isinstance(event, ev.AttemptFailed)]


def test_drivers_killed_at_random_moments_lose_nothing(cli: Cli, tiny_spec: Callable[..., str]) -> None:
    """Three SIGKILLs of one sweep's drivers, uniform over a driver's life: set-up, training, recording, end."""
    seed = int(os.environ.get("TUNER_TEST_SEED", time.time_ns() % 10**6))
    print(f"TUNER_TEST_SEED={seed}")
    rng = random.Random(seed)
    spec = tiny_spec(num_trials=12, space=SLOW_SPACE)
    acknowledged: list[ev.AnyEvent] = []
    for _ in range(3):
        driver = cli.start("run", spec, "--or-resume")
        try:
            driver.wait(rng.uniform(0.0, 18.0))
        except Exception:
            driver.kill()
        driver.communicate(timeout=60)
        events = cli.events("tiny")
        assert events[: len(acknowledged)] == acknowledged
        acknowledged = events
    cli("run", spec, "--or-resume")
    assert len(verified(cli, acknowledged=acknowledged).trials) == 12


def pid_of(cli: Cli, trial: int, attempt: int) -> int:
    """The process of a trial's attempt, once it has begun."""

    def started() -> list[int]:
        events = [event for event in cli.events("tiny") if isinstance(event, ev.TrialStarted)]
        return [event.pid for event in events if (event.trial, event.attempt) == (trial, attempt)]

    cli.wait_for("tiny", lambda sweep: bool(started()))
    return started()[0]


def test_forks_the_process_that_forked_them_the_driver_and_its_ray_are_killed_and_leave_nothing(
    cli: Cli, tiny_spec: Callable[..., str], tmp_path: Path
) -> None:
    """All on one machine, with a Ray of the driver's own; two slots, one process that imports TensorFlow."""
    shared, cli.address = cli.address, "local"
    space, slow_while = slowed(tmp_path)  # no trial ends before all were killed, however slow the machine is
    spec = tiny_spec(num_trials=2, space=space, epochs={"min": 300, "max": 300})
    driver = cli.start("run", spec)
    cli.wait_for("tiny", lambda sweep: sum(bool(trial.epochs) for trial in sweep.unfinished) == 2)
    forks = {event.trial: event.pid for event in cli.events("tiny") if isinstance(event, ev.TrialStarted)}
    [server] = {psutil.Process(pid).ppid() for pid in forks.values()}
    assert psutil.Process(server).ppid() == driver.pid
    os.kill(forks[0], signal.SIGKILL)
    again = pid_of(cli, 0, attempt=2)
    assert psutil.Process(again).ppid() == server, "it was not forked from the same process"
    assert psutil.Process(forks[1]).is_running(), "the other trial was disturbed"
    os.kill(server, signal.SIGKILL)
    pid_of(cli, 0, attempt=3)
    pid_of(cli, 1, attempt=2)
    started = [psutil.Process(driver.pid), *psutil.Process(driver.pid).children(recursive=True)]
    pids = {event.pid for event in cli.events("tiny") if isinstance(event, ev.TrialStarted)}
    driver.kill()
    driver.communicate(timeout=60)
    _, alive = psutil.wait_procs(started, 60)
    assert alive == [] and not [pid for pid in pids if psutil.pid_exists(pid)]

    second, num_epochs = cli.start("resume", "tiny"), fold(cli.events("tiny")).num_epochs
    cli.wait_for("tiny", lambda sweep: sweep.num_epochs > num_epochs)
    [raylet] = [child for child in psutil.Process(second.pid).children() if child.name() == "raylet"]
    raylet.kill()
    said = finish(second, exit_code=4)
    assert "Ray's process on this machine is gone; nothing acknowledged is lost. Go on with: " in said
    assert cli.json("show", "tiny")["state"] == "interrupted"
    before, cli.address = cli.events("tiny"), shared
    slow_while.unlink()
    cli("resume", "tiny")
    verified(cli, acknowledged=before)


def test_a_killed_plain_process_costs_its_trial_one_attempt_and_no_epoch_but_the_last(
    cli: Cli, tiny_spec: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUNER_FORK", "0")
    spec = tiny_spec(num_trials=2, space=SLOW_SPACE, epochs={"min": 9, "max": 27}, resources=ONE_SLOT)
    driver = cli.start("run", spec)
    cli.wait_for("tiny", lambda sweep: any(trial.checkpoints for trial in sweep.unfinished))
    sweep = fold(cli.events("tiny"))
    trial = next(trial for trial in sweep.unfinished if trial.checkpoints)
    [started] = [e for e in cli.events("tiny") if isinstance(e, ev.TrialStarted) and e.trial == trial.number]
    assert "its process imports TensorFlow itself, as TUNER_FORK=0" in cli("logs", "tiny").stdout
    os.kill(started.pid, signal.SIGKILL)
    finish(driver, exit_code=0)
    verified(cli)
    [failed] = failed_attempts(cli)
    assert (failed.trial, failed.attempt, failed.cause, failed.counts) == (trial.number, 1, "worker", True)
    [_, again] = [e for e in cli.events("tiny") if isinstance(e, ev.TrialStarted) and e.trial == trial.number]
    assert again.epoch > 0, "it did not go on from its checkpoint"
    assert {row["attempts"] for row in cli.json("trials", "tiny") if row["trial"] == trial.number} == {2}


def test_a_killed_recorder_is_replaced_and_a_deleted_store_made_anew_while_the_sweep_runs(
    cli: Cli, tiny_spec: Callable[..., str], tmp_path: Path
) -> None:
    space, slow_while = slowed(tmp_path)
    driver = cli.start("run", tiny_spec(num_trials=2, space=space, resources=ONE_SLOT, epochs={"max": 27}))
    folder = cli.folder("tiny")
    cli.wait_for("tiny", lambda sweep: sweep.num_epochs >= 1 and read_cursor(folder).seq > 0)
    [recorder] = [p for p in psutil.Process(driver.pid).children() if "tuner.recording" in p.cmdline()]
    recorder.kill()
    cli.wait_for("tiny", lambda sweep: read_cursor(folder).restarts == 1)
    seq = read_cursor(folder).seq
    cli.wait_for("tiny", lambda sweep: read_cursor(folder).seq > seq)
    folder.root.database.unlink()
    cli.wait_for("tiny", lambda sweep: read_cursor(folder).news != "" and read_cursor(folder).seq > 0)
    assert cli.json("show", "tiny")["mlflow"]["recorder"]["restarts"] == 1
    slow_while.unlink()
    said = finish(driver, exit_code=0)
    killed = "the recorder was killed by SIGKILL; another one starts in 1 s and catches up"
    lost = f"{folder.root.database} was deleted while the sweep was recorded: recreated from the journal"
    assert said.count(killed) == said.count(lost) == 1
    assert killed in folder.driver_log.read_text() and lost in folder.driver_log.read_text()
    shown = cli.json("show", "tiny")["mlflow"]
    assert shown["backlog"] == 0 and shown["recorder"]["news"].endswith(lost) and not shown["recorder"]["trouble"]
    verified(cli)


def test_a_lost_node_is_not_counted_against_its_trial_and_a_lost_cluster_is_resumed(
    cli: Cli, tiny_spec: Callable[..., str], tmp_path: Path
) -> None:
    from ray.cluster_utils import Cluster

    soon = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 1000}
    head = {"num_cpus": 1, "include_dashboard": False, "object_store_memory": 10**8, "_system_config": soon}
    two_nodes = Cluster(initialize_head=True, head_node_args=head)
    other = two_nodes.add_node(num_cpus=1, object_store_memory=10**8)
    shared, cli.address = cli.address, two_nodes.address
    try:
        space, slow_while = slowed(tmp_path)  # a trial must outlive the 24 s after which a head counts as gone
        spec = tiny_spec(num_trials=2, space=space, failures={"max_retries": 0}, epochs={"min": 36, "max": 36})
        driver = cli.start("run", spec, "--json")
        cli.wait_for("tiny", lambda sweep: sum(bool(trial.checkpoints) for trial in sweep.unfinished) == 2)
        os.kill(raylet_of(other), signal.SIGKILL)
        cli.wait_for("tiny", lambda sweep: sweep.slots == 1)
        slow_while.unlink()
        cli.wait_for("tiny", lambda sweep: sweep.outcomes()["completed"] == 1)
        slow_while.touch()
        cli.wait_for("tiny", lambda sweep: any(trial.attempts == 2 and trial.epochs for trial in sweep.trials.values()))
        [failed] = failed_attempts(cli)
        assert (failed.cause, failed.counts) == ("node", False)

        before = cli.events("tiny")
        os.kill(gcs_of(two_nodes), signal.SIGKILL)
        data, said = outputs(driver, exit_code=4)
        assert f"Ray's head at {two_nodes.address} is gone: connection refused; nothing acknowledged is lost" in said
        assert f"resume tiny --storage {cli.root} --address {two_nodes.address}" in said
        assert json.loads(data)["state"] == cli.json("show", "tiny")["state"] == "interrupted"
    finally:
        cli.address = shared
        two_nodes.shutdown()
    slow_while.unlink()
    cli("resume", "tiny")
    sweep = verified(cli, acknowledged=before)
    assert Counter(trial.outcome for trial in sweep.trials.values()) == {"completed": 2}


def test_a_second_ctrl_c_does_not_wait_for_the_running_epochs(cli: Cli, tiny_spec: Callable[..., str]) -> None:
    """An epoch takes 8 s here."""
    space = {**SLOW_SPACE, "pause_s": 0.65}
    spec = tiny_spec(
        num_trials=1, space=space, epochs={"max": 2}, early_stopping={"algorithm": "none"}, resources=ONE_SLOT
    )
    driver = cli.start("run", spec)
    cli.wait_for("tiny", lambda sweep: sweep.num_epochs >= 1)
    driver.send_signal(signal.SIGINT)
    time.sleep(1.0)
    driver.send_signal(signal.SIGINT)
    said = finish(driver, exit_code=3)
    assert "Ctrl-C again not to wait" in said and "nothing is lost" in said
    assert {row["epochs"] for row in cli.json("trials", "tiny")} <= {0, 1}  # the second one of a trial was running
    shown = cli.json("show", "tiny")
    assert shown["state"] == "interrupted" and shown["outcomes"]["unfinished"] == 1


def raylet_of(node: Any) -> int:
    return int(node.all_processes["raylet"][0].process.pid)


def gcs_of(cluster: Any) -> int:
    return int(cluster.head_node.all_processes["gcs_server"][0].process.pid)


def test_what_hangs_leaks_or_has_no_room_ends_in_bounds_and_one_that_grew_too_large_makes_room(
    cli: Cli, tiny_spec: Callable[..., str]
) -> None:
    space = {
        "learning_rate": {"low": 1e-3, "high": 1e-1, "scale": "log"},
        "batch_size": 32,
        "broken": {"choices": ["no", "leak", "hang", "memory"]},
    }
    failures = {"max_retries": 0, "trial_timeout": "15s", "worker_memory": "100MiB"}
    kinds = ("leak",) * 4 + ("hang", "memory", "no")
    search = {"points": [{"learning_rate": 0.01 * n, "broken": broken} for n, broken in enumerate(kinds, start=1)]}
    cli("run", tiny_spec(num_trials=len(kinds), space=space, failures=failures, search=search, resources=ONE_SLOT))
    sweep = verified(cli)
    by_broken = {
        broken: {trial.outcome for trial in sweep.trials.values() if trial.params["broken"] == broken}
        for broken in ("hang", "memory")
    }
    assert by_broken == {"hang": {"failed"}, "memory": {"out_of_memory"}}
    causes = {(sweep.trials[e.trial].params["broken"], e.cause) for e in failed_attempts(cli)}
    assert causes == {("hang", "timeout"), ("memory", "memory")}
    [reason] = {trial.reason for trial in sweep.trials.values() if trial.params["broken"] == "hang"}
    assert "failures.trial_timeout (15 s)" in reason
    started = [event for event in cli.events("tiny") if isinstance(event, ev.TrialStarted)]
    leaked = {event.pid for event in started if sweep.trials[event.trial].params["broken"] == "leak"}
    assert len(leaked) > 1, "no worker was replaced"


def test_rays_memory_monitor_ends_a_trial_as_out_of_memory(
    cli: Cli, tiny_spec: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = psutil.virtual_memory()
    threshold = (memory.total - memory.available + 4 * 2**30) / memory.total
    if threshold > 0.9:
        pytest.skip("needs 6 GiB of free memory")
    monkeypatch.setenv("RAY_memory_usage_threshold", f"{threshold:.3f}")
    monkeypatch.setenv("RAY_memory_monitor_refresh_ms", "100")
    space = {"learning_rate": {"low": 1e-3, "high": 1e-1, "scale": "log"}, "batch_size": 32}
    space["broken"] = {"choices": ["no", "hog"]}
    cli.address = "local"
    cli("run", tiny_spec(num_trials=4, space=space, failures={"max_retries": 1}, search={"algorithm": "random"}))
    sweep = verified(cli)
    hogs = [trial for trial in sweep.trials.values() if trial.params["broken"] == "hog"]
    assert hogs and {trial.outcome for trial in hogs} == {"out_of_memory"}
    assert {event.cause for event in failed_attempts(cli)} == {"memory"}


def test_damage_is_mended_and_told(cli: Cli, tiny_spec: Callable[..., str], tmp_path: Path) -> None:
    """A torn last line, a truncated newest checkpoint, others that are gone or without end, and no spec.yaml, all at
    once."""
    space, slow_while = slowed(tmp_path)
    driver = cli.start("run", tiny_spec(num_trials=2, space=space, epochs={"min": 27, "max": 27}))
    cli.wait_for("tiny", lambda s: sum(len(trial.checkpoints) >= 2 for trial in s.unfinished) == 2)
    kill_group(driver)
    slow_while.unlink()
    folder, sweep = cli.folder("tiny"), fold(cli.events("tiny"))
    truncated, gone = list(sweep.unfinished)
    newest = folder.path / truncated.checkpoints[-1].path
    newest.write_bytes(newest.read_bytes()[:1000])
    for saved in gone.checkpoints:
        (folder.path / saved.path).unlink(missing_ok=True)
    large = folder.path / gone.checkpoints[-1].path
    large.touch()
    os.truncate(large, 100 * 2**30)
    with open(folder.journal, "ab") as file:
        file.write(b'{"event":"epoch_repor')
    folder.spec.unlink()

    said = cli("resume", "tiny").stderr
    assert "torn last line of 21 bytes" in said and "spec.yaml was missing" in said
    assert f"trial {truncated.number}: passed over checkpoint {truncated.checkpoints[-1].path}" in said
    assert f"{gone.checkpoints[-1].path}: must have at most" in said and "but has 107374182400; it was not read" in said
    assert f"trial {gone.number}: no checkpoint could be read: it starts anew" in said
    verified(cli, acknowledged=sweep_events_before_damage(cli, sweep))
    started = {e.trial: e.epoch for e in cli.events("tiny") if isinstance(e, ev.TrialStarted) and e.attempt == 2}
    assert started == {truncated.number: truncated.checkpoints[-2].epoch, gone.number: 0}


def sweep_events_before_damage(cli: Cli, sweep: Sweep) -> list[ev.AnyEvent]:
    return cli.events("tiny")[: sweep.num_events]
