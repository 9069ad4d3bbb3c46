"""Loops and commands as trials, each in a process of its own; without Ray, Keras and MLflow."""

from __future__ import annotations

import math
import os
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from trainables.exceptions import CheckpointError, Infeasible
from trainables.scripts import process
from trainables.scripts.archive import unpack
from trainables.scripts.forker import Forker
from trainables.scripts.launching import Script
from trainables.scripts.lines import ObjectiveError, ScriptError
from trainables.scripts.trainer import ScriptTrainer

Make = Callable[..., ScriptTrainer]

LOOP = """
    import os

    def main(params, report):
        value, start = 1.0, 0
        if report.checkpoint is not None:
            value, start = float((report.checkpoint / "value").read_text()), report.epoch
        for epoch in range(start + 1, 100):
            value *= params.lr
            os.makedirs("state", exist_ok=True)
            with open("state/value", "w") as file:
                file.write(repr(value))
            if not report(epoch, {"loss": value}, checkpoint="state"):
                break
        open("ended", "a").write(f"{epoch} ")
"""


@pytest.fixture(scope="module")
def forker() -> Iterator[Forker]:
    """One that another process has, as this one may have imported and used anything."""
    ours, theirs = socket.socketpair()
    code = (
        "import socket, sys; from trainables.scripts.forker import serve; serve(socket.socket(fileno=int(sys.argv[1])))"
    )
    command = [sys.executable, "-c", code, str(theirs.fileno())]
    with subprocess.Popen(command, pass_fds=[theirs.fileno()]), ours:
        theirs.close()
        yield Forker.at(ours)


@pytest.fixture(params=["plain", "forked"])
def make(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forker: Forker, request: pytest.FixtureRequest
) -> Iterator[Make]:
    """Makes trainers that work in the test's folder; loops are processes of their own, or forks."""
    own_scratch(tmp_path, monkeypatch)
    monkeypatch.setattr(process, "GRACE_S", 1.0)
    monkeypatch.setattr("trainables.scripts.trainer.GRACE_S", 1.0)
    made: list[ScriptTrainer] = []

    def make(loop: str = "", command: tuple[str, ...] = (), metric: str = "loss", name: str = "main") -> ScriptTrainer:
        (tmp_path / "train.py").write_text(textwrap.dedent(loop))
        script = Script(f"{tmp_path / 'train.py'}:{name}", command=command, work_folder=str(tmp_path))
        if command and request.param == "forked":
            pytest.skip("commands are not forked")
        made.append(ScriptTrainer(script, metric, "min", forker if request.param == "forked" else None))
        return made[-1]

    yield make
    for trainer in made:
        trainer.end()


def start(trainer: ScriptTrainer, checkpoint: bytes | None = None, **params: Any) -> ScriptTrainer:
    trainer.place(None, 3)
    trainer.start({"lr": 0.5, "epochs": 5, **params}, 7, checkpoint)
    return trainer


def losses(trainer: ScriptTrainer, num: int) -> list[float]:
    return [result.metrics["loss"] for result in map(lambda _: trainer.train_epoch(), range(num)) if result is not None]


def is_running(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0]
    except OSError:
        return False


def gone(pid: int, seconds: float = 20.0) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until and is_running(pid):
        time.sleep(0.02)
    return not is_running(pid)


def own_scratch(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets temporary folders lie where only this test makes any."""
    (folder / "scratch").mkdir()
    monkeypatch.setenv("TMPDIR", str(folder / "scratch"))
    monkeypatch.setattr(tempfile, "tempdir", None)


def test_a_loop_is_stepped_and_goes_on_from_its_newest_checkpoint(make: Make, tmp_path: Path) -> None:
    trainer = start(make(LOOP))
    assert losses(trainer, 3) == [0.5, 0.25, 0.125]
    assert (tmp_path / "state/value").read_text() == "0.125"  # it waits in report
    assert (trainer.epoch, trainer.snapshot_epoch, trainer.best_epoch, trainer.best_value) == (3, 3, 3, 0.125)
    kept = trainer.snapshot().to_bytes()
    (tmp_path / "state/value").write_text("changed after it was reported")

    start(trainer, kept)
    assert (tmp_path / "ended").read_text() == "3 "  # it was told to stop, and ended by itself
    assert trainer.epoch == 3 and losses(trainer, 2) == [0.0625, 0.03125]
    trainer.end()
    assert (tmp_path / "ended").read_text() == "3 5 "  # the last epoch of all
    assert not os.listdir(tmp_path / "scratch")


def test_a_third_argument_is_the_checkpoint_which_may_be_a_file(make: Make) -> None:
    loop = """
        def train(params, report, checkpoint):
            start = int(checkpoint.read_text()) if checkpoint else 0
            for epoch in range(start + 1, 9):
                open("model.txt", "w").write(str(epoch))
                if not report(epoch, {"loss": start}, checkpoint="model.txt"):
                    return
    """
    trainer = start(make(loop, name="train"))
    losses(trainer, 2)
    assert losses(start(trainer, trainer.snapshot().to_bytes()), 1) == [2]


def test_the_best_epochs_files_outlive_later_ones(make: Make, tmp_path: Path) -> None:
    loop = """
        def main(params, report):
            kept = report.checkpoint and open(report.checkpoint / "at").read()
            for epoch, loss in enumerate([3, 1, 2, 2, 2], 1):
                if epoch <= report.epoch:
                    continue
                import os
                os.makedirs("at", exist_ok=True)
                open("at/at", "w").write(str(epoch))
                report(epoch, {"loss": loss, "kept": float(kept or 0)}, checkpoint="at" if epoch != 4 else None)
    """
    trainer = start(make(loop))
    losses(trainer, 4)
    assert (trainer.snapshot_epoch, trainer.best_epoch) == (3, 2)
    start(trainer, trainer.snapshot().to_bytes())
    result = trainer.train_epoch()
    assert result is not None and (result.epoch, result.metrics["kept"]) == (4, 3)
    assert trainer.best_epoch == 2  # also after the break
    found = unpack(trainer.best_snapshot().to_bytes(), tmp_path / "unpacked")
    assert found.newest is None and found.best is not None and (found.best / "at").read_text() == "2"


def test_a_best_epoch_without_a_checkpoint_has_no_files(make: Make) -> None:
    loop = """
        def main(params, report):
            for epoch in range(1, 6):
                report(epoch, {"loss": -epoch})
    """
    trainer = start(make(loop))
    losses(trainer, 2)
    assert (trainer.snapshot_epoch, trainer.best_epoch, trainer.best_value) == (0, 0, -2)


@pytest.mark.parametrize("value", ["np.float32(0.5)", "np.array([[0.5]])", "Fraction(1, 2)", "Tensor()", "True / 2"])
def test_metrics_are_numbers_of_every_kind(make: Make, value: str) -> None:
    loop = f"""
        import numpy as np
        from fractions import Fraction

        class Tensor:
            def detach(self):
                return self
            def numpy(self):
                return np.float64(0.5)

        def main(params, report):
            report(1, {{"loss": {value}}})
    """
    assert losses(start(make(loop)), 1) == [0.5]


def test_nan_is_a_value(make: Make) -> None:
    assert math.isnan(losses(start(make("def main(p, report):\n    report(1, {'loss': float('nan')})")), 1)[0])


@pytest.mark.parametrize(
    ("call", "text"),
    [
        ("report(0, {'loss': 1})", "counted from 1, but got 0: report epoch"),
        ("report(2, {'loss': 1})", "must be 1 at first, but got 2"),
        ("report(1, {'loss': 1}); report(3, {'loss': 1})", "must be 2 after epoch 1, but got 3"),
        ("report(1, {'loss': 'low'})", "the metric loss must be one number, but got 'low'"),
        ("report(1, {'loss': [1, 2]})", "the metric loss must be one number"),
        ("report(1, 0.5)", "the metrics must be numbers by name, but got 0.5"),
        ("report(1, {'loss': 1}, checkpoint='nowhere')", "must be a folder or a file, but there is none"),
        ("pass", r"ended without a report: it must call report\(epoch, metrics\)"),
        ("raise ValueError('boom')", "boom"),
        ("import sys; sys.exit('no data')", "no data"),
        ("import sys; sys.exit(3)", "ended with exit code 3"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "was killed by SIGSEGV"),
        ("params.lrr", "the trial has no parameter lrr; did you mean lr?"),
    ],
)
def test_what_goes_wrong_in_a_loop_is_told(make: Make, call: str, text: str) -> None:
    trainer = start(make(f"def main(params, report):\n    print('at work')\n    {call}"))
    with pytest.raises(Exception, match=text):
        losses(trainer, 3)


def test_an_exception_has_its_own_name_and_traceback(make: Make) -> None:
    from tuner.engine.failures import failure_of

    trainer = start(make("def main(params, report):\n    raise ZeroDivisionError('by zero')"))
    with pytest.raises(Exception) as caught:
        trainer.train_epoch()
    failure = failure_of(caught.value)
    assert (failure.cause, failure.message) == ("error", "ZeroDivisionError: by zero")
    assert "train.py" in failure.traceback and "line 2" in failure.traceback


def test_an_objective_that_nobody_reports_ends_the_sweep(make: Make) -> None:
    loop = "def main(params, report):\n    report(1, {'val_loss': 1} if params.lr else {'val_los': 1})"
    trainer = make(loop, metric="val_loss")
    with pytest.raises(ObjectiveError, match=r"val_loss must be among .* but got val_los; did you mean val_los\?"):
        start(trainer, lr=0).train_epoch()
    start(trainer).train_epoch()
    with pytest.raises(ScriptError) as caught:  # once others report it, it is the fault of one trial
        start(trainer, lr=0).train_epoch()
    assert not isinstance(caught.value, ObjectiveError)


def test_an_objective_may_be_an_expression(make: Make) -> None:
    loop = "def main(params, report):\n    report(1, {'a': 1, 'b': 2})"
    result = start(make(loop, metric="a + 2 * b")).train_epoch()
    assert result is not None and result.metrics["a + 2 * b"] == 5


@pytest.mark.parametrize("ending", ["return", "raise SystemExit", "import sys; sys.exit(0)", "import os; os._exit(0)"])
def test_a_loop_that_returns_early_is_whole(make: Make, ending: str) -> None:
    trainer = start(make(f"def main(params, report):\n    report(1, {{'loss': 1}})\n    {ending}"))
    assert losses(trainer, 1) == [1] and trainer.train_epoch() is None
    assert trainer.is_whole and trainer.stopped == "the script ended after 1 of 5 epochs"


def test_a_loop_that_does_not_stop_is_ended_with_its_children(make: Make, tmp_path: Path) -> None:
    loop = """
        import os, signal, subprocess, sys, time

        def main(params, report):
            code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(100)"
            child = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
            open("pids", "w").write(f"{os.getpid()} {child.pid}")
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            report(1, {"loss": 1})
            time.sleep(100)
    """
    trainer = start(make(loop))
    losses(trainer, 1)
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    assert all(map(is_running, pids))
    trainer.end()
    assert all(map(gone, pids))


def test_sigterm_runs_what_a_loop_does_at_its_end(make: Make, tmp_path: Path) -> None:
    loop = """
        import time

        def main(params, report):
            try:
                report(1, {"loss": 1})
                time.sleep(100)
            finally:
                open("cleaned", "w").close()
    """
    trainer = start(make(loop))
    losses(trainer, 1)
    trainer.end()
    assert (tmp_path / "cleaned").exists()


def test_a_loop_ends_as_programs_of_python_do(make: Make, tmp_path: Path) -> None:
    loop = """
        import atexit, sys, threading, time

        def late():
            time.sleep(0.3)
            open("thread", "w").close()

        def main(params, report):
            atexit.register(lambda: open("exit", "w").close())
            threading.Thread(target=late).start()
            assert len(sys.argv) == 2 and sys.stdin.read() == ""
            report(1, {"loss": 1})
    """
    assert losses(start(make(loop)), 2) == [1]
    assert (tmp_path / "thread").exists() and (tmp_path / "exit").exists()


def test_a_forked_loop_shares_what_is_imported_and_nothing_else(make: Make, forker: Forker, tmp_path: Path) -> None:
    loop = """
        import os, random
        import count

        count.NUM += 1

        def main(params, report):
            os.environ["MINE"] = "1"
            report(1, {"loss": count.NUM, "mine": len(os.environ.get("KEPT", "")), "random": random.random()})
            files = [f"/proc/self/fd/{name}" for name in os.listdir("/proc/self/fd") if int(name) > 4]
            held = [os.readlink(file) for file in files if os.path.exists(file)]
            open("held", "a").write(" ".join(held))
    """
    (tmp_path / "count.py").write_text("NUM = 0\n")
    trainer = make(loop)
    first, second = (start(trainer).train_epoch() for _ in range(2))
    assert first is not None and second is not None
    assert {**first.metrics, "epoch_s": 0} == {**second.metrics, "epoch_s": 0}
    assert first.metrics["loss"] == 1
    trainer.end()
    assert (tmp_path / "held").read_text() == ""  # neither a pipe to its trainer nor one of another trial's


def test_a_loop_is_started_plainly_once_the_process_that_forks_is_gone(make: Make, tmp_path: Path) -> None:
    trainer = make("def main(params, report):\n    report(1, {'loss': 1})")
    ours, theirs = socket.socketpair()
    theirs.close()
    trainer._forker = Forker.at(ours)
    with ours:
        assert losses(start(trainer), 1) == [1]


def test_artifacts_that_come_after_the_last_epoch_are_kept(make: Make, tmp_path: Path) -> None:
    loop = """
        import os, time, urllib.request

        def main(params, report):
            for epoch in range(1, 9):
                if not report(epoch, {"loss": 1}):
                    break
            for name, data in (("a/b%20c.txt", b"kept"), ("empty", iter([b""])), ("../out", b"x")):
                time.sleep(0.3)
                request = urllib.request.Request(
                    os.environ["MLFLOW_TRACKING_URI"] + "/api/2.0/mlflow-artifacts/artifacts/run/" + name,
                    data,
                    {"Authorization": "Bearer " + os.environ["MLFLOW_TRACKING_TOKEN"]},
                    method="PUT",
                )
                try:
                    urllib.request.urlopen(request, timeout=30).read()
                except urllib.error.HTTPError as error:
                    open("refused", "w").write(str(error.code))
            time.sleep(0.3)
            open("ended", "w").close()
    """
    kept: list[tuple[int, str, bytes]] = []

    def keep(trial: int, name: str, path: Path) -> None:
        kept.append((trial, name, path.read_bytes()))
        if name == "empty":
            raise OSError("the store is away")

    trainer = make(loop)
    trainer._keep_file = keep
    start(trainer, epochs=2)
    trainer._running().run.was_used = True  # as MLflow's client asks for its run first
    assert losses(trainer, 2) == [1, 1]
    assert (tmp_path / "ended").exists() and (tmp_path / "refused").read_text() == "400"
    assert kept == [(3, "a/b c.txt", b"kept"), (3, "empty", b"")]
    assert trainer.take_notes() == ["the artifact empty of its script is not kept: the store is away"]


def test_children_that_a_loop_leaves_behind_are_ended(make: Make, tmp_path: Path) -> None:
    loop = """
        import subprocess

        def main(params, report):
            report(1, {"loss": 1})
            open("pid", "w").write(str(subprocess.Popen(["sleep", "100"], start_new_session=True).pid))
    """
    trainer = start(make(loop))
    losses(trainer, 2)
    assert gone(int((tmp_path / "pid").read_text()))


@pytest.mark.parametrize("forker", ["None", "Forker()"])
def test_nothing_outlives_a_trainer_that_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forker: str
) -> None:
    own_scratch(tmp_path, monkeypatch)
    (tmp_path / "train.py").write_text(
        "import os, subprocess, time\n"
        "def main(params, report):\n"
        "    child = subprocess.Popen(['sleep', '100'])\n"
        "    open('pids', 'w').write(f'{os.getpid()} {os.getppid()} {child.pid}')\n"
        "    report(1, {'loss': 1})\n"
        "    time.sleep(100)\n"
    )
    code = (
        "import time\n"
        "from trainables.scripts import process, trainer\n"
        "from trainables.scripts.forker import Forker\n"
        "process.GRACE_S = 0.2\n"
        f"script = trainer.Script({str(tmp_path / 'train.py') + ':main'!r}, work_folder={str(tmp_path)!r})\n"
        f"one = trainer.ScriptTrainer(script, 'loss', 'min', {forker})\n"
        "one.start({'epochs': 9}, 1)\n"
        "one.train_epoch()\n"
        "print('ready', flush=True)\n"
        "time.sleep(100)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as killed:
        assert killed.stdout is not None and killed.stdout.readline() == "ready\n"
        assert os.listdir(tmp_path / "scratch")
        killed.send_signal(signal.SIGKILL)
        killed.wait()
    assert all(gone(int(pid)) for pid in (tmp_path / "pids").read_text().split())
    until = time.monotonic() + 10
    while os.listdir(tmp_path / "scratch") and time.monotonic() < until:
        time.sleep(0.02)
    assert not os.listdir(tmp_path / "scratch")


def test_a_command_reports_by_lines_of_json(make: Make, tmp_path: Path) -> None:
    (tmp_path / "run.sh").write_text(
        'echo "$@ $TUNER_TRIAL $TUNER_SEED $TUNER_EPOCHS $TUNER_CHECKPOINT_EPOCH $TUNER_PARAMS" > told\n'
        "mkdir -p state; echo 1 > state/a\n"
        'echo "{\\"epoch\\": 1, \\"loss\\": $2, \\"checkpoint\\": \\"state\\"}" >&$TUNER_REPORT_FD\n'
        'echo "{\\"metrics\\": {\\"loss\\": 0.2}}" >&$TUNER_REPORT_FD\n'
        "read answer <&$TUNER_ANSWER_FD; echo $answer > answer\n"
    )
    command = ("sh", "run.sh", "--lr", "{lr}", "--decay", "{decay}", "--flag", "--of={none}", "${HOME} {{lr}}")
    trainer = make(command=command)
    trainer.place(None, 3)
    trainer.start({"lr": 0.5, "decay": None, "none": None, "epochs": 5}, 7)
    assert losses(trainer, 2) == [0.5, 0.2] and trainer.snapshot_epoch == 1
    assert trainer.train_epoch() is None and trainer.is_whole
    told = (tmp_path / "told").read_text()
    assert told == '--lr 0.5 --flag ${HOME} {lr} 3 7 5 0 {"lr": 0.5, "decay": null, "none": null, "epochs": 5}\n'
    assert (tmp_path / "answer").read_text() == "continue\n"


@pytest.mark.parametrize(
    ("command", "text"),
    [
        (("sh", "-c", "exit 4"), "ended with exit code 4"),
        (("sh", "-c", "true"), r"without a report: it must write a line of JSON to the file descriptor \$TUNER_REPORT"),
        (("sh", "-c", "echo loss=3 >&3"), "must be a line of JSON such as .* but got 'loss=3'"),
        (("sh", "-c", """echo '{"epoch": 2, "loss": 3}' >&3"""), "must be 1 at first, but got 2"),
        (("sh", "-c", """echo '{"los": 3}' >&3"""), "objective.metric: loss must be among .* but got los"),
        (("/nowhere/tool",), "/nowhere/tool: cannot be started: No such file"),
    ],
)
def test_what_goes_wrong_in_a_command_is_told(make: Make, command: tuple[str, ...], text: str) -> None:
    with pytest.raises(ScriptError, match=text):
        start(make(command=command)).train_epoch()


def test_a_command_that_is_stopped_gets_sigterm(make: Make, tmp_path: Path) -> None:
    code = "trap 'echo ended > ended; exit' TERM; echo '{\"loss\": 1}' >&3; while true; do sleep 0.05; done"
    trainer = start(make(command=("sh", "-c", code)))
    losses(trainer, 1)
    trainer.end()
    assert (tmp_path / "ended").read_text() == "ended\n"


@pytest.mark.parametrize("damage", [lambda data: data[:600], lambda data: b"x" + data[1:], lambda data: b""])
def test_a_damaged_checkpoint_is_passed_over(make: Make, damage: Callable[[bytes], bytes]) -> None:
    trainer = start(make(LOOP))
    losses(trainer, 1)
    with pytest.raises(CheckpointError):
        start(trainer, damage(trainer.snapshot().to_bytes()))


@pytest.mark.parametrize(
    ("loop", "command"),
    [
        ("from trainables import Infeasible\ndef main(params, report):\n    raise Infeasible('too large')", ()),
        ("", ("sh", "-c", """echo '{"infeasible": "too large"}' >&3""")),
    ],
)
def test_a_script_may_find_its_configuration_infeasible(make: Make, loop: str, command: tuple[str, ...]) -> None:
    with pytest.raises(Infeasible, match="too large"):
        start(make(loop, command=command)).train_epoch()
