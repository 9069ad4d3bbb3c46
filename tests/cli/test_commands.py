"""Commands that train nothing, in a process of their own: output where it belongs, exit codes as promised."""

from __future__ import annotations

import io
import json
import os
import socket
import subprocess
import sys
import urllib.request
from contextlib import redirect_stderr
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.command_line import run_here
from tests.simulation import SimulatedCluster, accuracy, coordinator_of, make_spec, new_sweep
from trainables import registry
from tuner.cli import run_commands
from tuner.spec import dump_yaml
from tuner.sweep import fold


@dataclass
class Done:
    stdout: str
    stderr: str


def tuner(*arguments: str, exit_code: int = 0, **environment: str) -> Done:
    """The command line as a process runs it, in this one."""
    done = run_here(*arguments, environment={"COLUMNS": "200", **environment})
    assert done.returncode == exit_code, f"{done.returncode}: {done.stdout}{done.stderr}"
    return Done(done.stdout, done.stderr)


def test_the_process_ends_with_the_exit_code_and_one_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tuner.cli.main", "show", "none", "--storage", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith(f"no sweep 'none' in {tmp_path}; there are no sweeps there")


@pytest.mark.parametrize("columns", [{}, {"COLUMNS": "0"}, {"COLUMNS": "wide"}])
def test_a_row_is_a_line_where_nobody_looks(root: Path, columns: dict[str, str]) -> None:
    command = [sys.executable, "-m", "tuner.cli.main", "trials", "test", "--storage", str(root)]
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"} | columns
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    rows = json.loads(tuner("trials", "test", "--storage", str(root), "--json").stdout)
    lines = [line for line in done.stdout.splitlines() if "learning_rate=" in line]
    assert len(lines) == len(rows) and all(row["reason"] in line for row, line in zip(rows, lines, strict=True))


def test_show_tells_why_mlflow_is_behind_and_what_befell_it(root: Path) -> None:
    news = {"news": "mlflow.db was deleted: made anew", "news_at": 1_700_000_000.0}
    cursor = {"uri": f"sqlite:///{root}/x.db", "seq": 3, "trouble": "it refuses connections", "restarts": 2, **news}
    (root / "test" / "recorder.json").write_text(json.dumps(cursor))
    (root / "x.db").write_bytes(b"a database")
    recorder = json.loads(tuner("show", "test", "--storage", str(root), "--json").stdout)["mlflow"]["recorder"]
    shown = " ".join(tuner("show", "test", "--storage", str(root)).stdout.split())
    assert recorder["restarts"] == 2 and recorder["news"].endswith("mlflow.db was deleted: made anew")
    why = f"it refuses connections; no recorder is at work; record the rest with: tuner record test --storage {root}"
    assert recorder["trouble"] == why
    assert why in shown and recorder["news"] in shown and "the recorder was started anew 2 times" in shown


def test_a_narrow_terminal_folds_and_loses_nothing(root: Path) -> None:
    shown = "".join(tuner("show", "test", "--storage", str(root), COLUMNS="40").stdout.split())
    assert f"sqlite:///{root}/mlflow.db" in shown


@pytest.mark.parametrize("command", ["show", "trials", "verify", "stop", "resume"])
def test_a_name_that_no_file_can_have_is_no_sweep_s(command: str, root: Path) -> None:
    done = tuner(command, "x" * 300, "--storage", str(root), exit_code=2)
    assert done.stderr.startswith("no sweep 'xxx")


@pytest.mark.parametrize("command", [["list"], ["ui"], ["show", "test"]])
def test_a_root_that_no_folder_can_be_is_one_line(command: list[str], tmp_path: Path) -> None:
    done = tuner(*command, "--storage", str(tmp_path / ("x" * 300)), exit_code=2 if command == ["ui"] else 4)
    assert done.stderr.count("\n") == 1


def test_an_empty_journal_is_told_by_run_as_by_the_others(tmp_path: Path) -> None:
    (tmp_path / "digits").mkdir()
    (tmp_path / "digits" / "journal.jsonl").touch()
    done = tuner("run", "digits", "--or-resume", "--storage", str(tmp_path), exit_code=2)
    assert done.stderr == (
        f"sweep 'digits' in {tmp_path} has an empty journal; remove the folder or restore the file\n"
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A storage root with one sweep, interrupted after 25 reports."""
    journal = new_sweep(tmp_path, make_spec())
    coordinator = coordinator_of(journal)
    SimulatedCluster(coordinator, accuracy).run(25)
    coordinator.stop("interrupted by SIGINT")
    coordinator.close()
    journal.close()
    return tmp_path


def test_check_shows_the_spec_the_space_samples_slots_and_epochs() -> None:
    text = tuner("check", "digits", "--set", "num_trials=9").stdout
    assert "is a valid spec" in text and "num_trials: 9" in text
    assert "learning_rate        0.0001 to 0.1 (log)" in text
    assert "10 sample configurations" in text and text.count("  learning_rate=") == 10
    assert "without early stopping" in text and "1200 training examples" in text
    data = json.loads(tuner("check", "digits", "--json", "--set", "resources.cpus_per_trial=1000").stdout)
    assert data["slots"] == 0 and data["warnings"] == ["resources: no node has room for one trial"]
    assert data["epochs"]["with_early_stopping"] < data["epochs"]["without_early_stopping"]


@pytest.mark.parametrize(("trainable", "num_warnings"), [("digits", 1), ("mlp", 0)])
def test_check_warns_of_data_without_an_effect(trainable: str, num_warnings: int) -> None:
    warnings = json.loads(tuner("check", trainable, "--json", "--set", "data=digits").stdout)["warnings"]
    assert warnings == ["data: has no effect, as the trainable has its own"] * num_warnings


def test_check_writes_values_as_yaml_does() -> None:
    space = "space={staircase: {choices: [true, false]}, units: {value: 3, when: {staircase: [true]}}}"
    text = tuner("check", "digits", "--set", space).stdout
    assert (
        "staircase            one of true, false\n" in text
        and "units                always 3, when staircase is true" in text
    )
    assert "  staircase=true  units=3" in text


def test_check_contacts_neither_storage_nor_tracking(tmp_path: Path) -> None:
    missing = tmp_path / "none"
    tuner("check", "digits", "--storage", str(missing), "--set", "tracking.uri=http://127.0.0.1:9")
    assert not missing.exists()


def test_schema_and_trainables_print_json() -> None:
    assert json.loads(tuner("schema").stdout)["title"] == "SweepSpec"
    rows = json.loads(tuner("trainables", "--json").stdout)
    assert [row["name"] for row in rows] == registry.names() and registry.names()[0] == "digits"
    assert all(Path(row["default_sweep"]).exists() for row in rows)
    assert rows[0]["own_params"] == ["units", "dropout"] and not rows[0]["takes_data"]
    assert "learning_rate, batch_size, epochs" in tuner("trainables").stdout.split("\nAll have ")[1]


def test_list_show_and_trials_tell_of_a_sweep(root: Path) -> None:
    storage = ("--storage", str(root))
    assert json.loads(tuner("list", "--json", *storage).stdout)[0]["state"] == "interrupted"
    shown = json.loads(tuner("show", "test", "--json", TUNER_STORAGE=str(root)).stdout)
    assert shown["state"] == "interrupted" and shown["outcomes"]["unfinished"] == 5  # one was given out ahead
    rows = json.loads(tuner("trials", "test", "--json", *storage).stdout)
    assert all(("decay_rate" in row["params"]) == (row["params"]["schedule"] == "exponential") for row in rows)
    assert "test (interrupted)" in tuner("show", "test", *storage).stdout
    assert "unfinished" in tuner("trials", "test", *storage).stdout
    assert "interrupted" in tuner("list", *storage).stdout


def test_explain_says_why_a_trial_was_suggested_and_why_it_ended(root: Path) -> None:
    storage = ("--storage", str(root))
    rows = json.loads(tuner("trials", "test", "--json", *storage).stdout)
    stopped = next(row for row in rows if row["outcome"] == "stopped")
    data = json.loads(tuner("explain", "test", str(stopped["trial"]), "--json", *storage).stdout)
    assert list(data) == [
        "sweep", "trial", "params", "metric", "mode", "suggestion", "rungs", "failures", "epochs", "epochs_max",
        "outcome", "reason",
    ]  # fmt: skip
    assert (data["params"], data["outcome"], data["reason"]) == (stopped["params"], "stopped", stopped["reason"])
    last = data["rungs"][-1]
    assert last["value"] < last["cutoff"] and last["place"] > last["places"] and not last["goes_on"]
    assert len(last["compared"]) == last["of"] - 1
    text = " ".join(tuner("explain", "test", str(stopped["trial"]), *storage).stdout.split())
    assert f"at least {last['cutoff']:.4g} was needed" in text and data["suggestion"]["why"] in text
    unfinished = next(row for row in rows if row["outcome"] == "unfinished")
    assert "end none yet, after" in " ".join(
        tuner("explain", "test", str(unfinished["trial"]), *storage).stdout.split()
    )
    refused = tuner("explain", "test", "99", *storage, exit_code=2).stderr
    assert (
        refused == f"sweep test has no trial '99': its trials are 0 to {len(rows) - 1}; did you mean {len(rows) - 1}?\n"
    )
    assert "no trial 'x': its trials are 0 to" in tuner("explain", "test", "x", *storage, exit_code=2).stderr
    assert "did you mean 'test'?" in tuner("explain", "tset", "0", *storage, exit_code=2).stderr


def test_what_was_not_enough_does_not_look_like_what_was_needed(tmp_path: Path) -> None:
    values = iter([0.98768, 0.98765])
    journal = new_sweep(tmp_path, make_spec(num_trials=2))
    coordinator = coordinator_of(journal)
    assert SimulatedCluster(coordinator, lambda params, epoch: next(values) if epoch == 1 else 0.9).run()
    coordinator.close()
    journal.close()
    data = [json.loads(tuner("explain", "test", n, "--json", "--storage", str(tmp_path)).stdout) for n in "01"]
    [stopped] = [str(found["trial"]) for found in data if found["outcome"] == "stopped"]
    text = " ".join(tuner("explain", "test", stopped, "--storage", str(tmp_path)).stdout.split())
    assert "val_accuracy was 0.98765 at epoch 1, at least 0.98768 was needed" in text
    assert "epoch 1 0.98765 0.98768 2 of 2 no" in text


def test_what_user_code_says_steers_no_terminal(tmp_path: Path) -> None:
    def raises(params: dict[str, object], epoch: int) -> float:
        raise ValueError("a \x1b[31mred\x07 [b]é")

    journal = new_sweep(tmp_path, make_spec(num_trials=1))
    coordinator = coordinator_of(journal)
    SimulatedCluster(coordinator, raises).run()
    coordinator.close()
    journal.close()
    for command in (["trials", "test"], ["explain", "test", "0"]):
        said = tuner(*command, "--storage", str(tmp_path)).stdout
        assert r"a \x1b[31mred\x07 [b]é" in said and "\x1b[31" not in said


def test_wrong_use_gets_one_line_and_exit_2(root: Path, tmp_path: Path) -> None:
    storage = ("--storage", str(root))
    assert tuner("show", "tset", *storage, exit_code=2).stderr == f"no sweep 'tset' in {root}; did you mean 'test'?\n"
    assert "cannot be read" in tuner("run", "nothing.yaml", exit_code=2).stderr
    assert "cannot be read" in tuner("run", "a" * 300, exit_code=2).stderr
    neither = "digist: must be a YAML file or a shipped trainable's name, but there is neither; did you mean digits?\n"
    assert tuner("check", "digist", exit_code=2).stderr == neither
    assert "must be PATH=VALUE" in tuner("check", "digits", "--set", "x", exit_code=2).stderr
    assert "No such command" in tuner("shwo", exit_code=2).stderr
    (root / "file").touch()
    no_folder = f"{root}/file: the storage root must be a folder, but is a file\n"
    for command in (["list"], ["run", "digits"]):
        assert tuner(*command, "--storage", f"{root}/file", exit_code=2).stderr == no_folder
    below = f"{root}/file/a/b: the storage root must be a folder, but {root}/file is a file\n"
    assert tuner("list", "--storage", f"{root}/file/a/b", exit_code=2).stderr == below
    assert "no sweep has been recorded there yet" in tuner("ui", *storage, exit_code=2).stderr


@pytest.mark.parametrize("address", ["foo", "foo:bar", "ray://", "http://", ""])
@pytest.mark.parametrize("command", ["run digits", "check digits", "show test"])
def test_an_address_of_no_form_is_refused(command: str, address: str) -> None:
    done = tuner(*command.split(), "--address", address, exit_code=2)
    *_, line = done.stderr.splitlines()
    assert line.startswith("--address: must be ") and line.endswith(f", but got {address!r}")


def test_a_job_server_is_no_cluster_to_join_nor_the_other_way_round() -> None:
    assert (
        "must be that of a Ray cluster, such as"
        in tuner("run", "digits", "--address", "http://1:1", exit_code=2).stderr
    )
    assert "must be the URL of a cluster's job server" in tuner("show", "test", "--address", "1:1", exit_code=2).stderr


def test_an_unknown_earlier_sweep_is_told_before_anything_starts(root: Path) -> None:
    names = ("--name", "new", "--set", "search.warm_start=[tset]")
    done = tuner("run", "digits", "--storage", str(root), *names, exit_code=2)
    assert "search.warm_start[0]: must name a sweep in" in done.stderr and "did you mean 'test'?" in done.stderr
    assert not (root / "new").exists()


def test_the_points_of_a_sweep_that_goes_on_may_lie_outside_of_narrowed_ranges(tmp_path: Path) -> None:
    point = {"learning_rate": 0.001, "batch_size": 64, "schedule": "constant"}
    spec = make_spec(search={"seed": 3, "points": [point]})
    new_sweep(tmp_path, spec).close()
    (tmp_path / "sweep.yaml").write_text(dump_yaml(spec.resolved()))
    narrow = ("--storage", str(tmp_path), "--or-resume", "--set", "space.learning_rate.low=0.01")
    command = ("run", str(tmp_path / "sweep.yaml"), *narrow, "--set", "search.seed=4")
    assert tuner(*command, exit_code=2).stderr.splitlines() == [
        f"{tmp_path / 'sweep.yaml'}: search.seed: decided what was tried so far, so it cannot change in a resume;"
        " start a new sweep"
    ]
    [line] = tuner(*command, "--name", "other", exit_code=2).stderr.splitlines()
    assert "search.points[0].learning_rate: must lie between 0.01 and 0.1, but got 0.001" in line


def test_a_sweep_that_paused_before_its_first_trial_has_none_yet(tmp_path: Path) -> None:
    journal = new_sweep(tmp_path, make_spec())
    journal.close()
    errors = io.StringIO()
    with redirect_stderr(errors):
        run_commands._tell_people(journal.folder, fold(journal.events))
    assert "trials       none yet\n" in errors.getvalue()


def test_a_storage_that_mlflow_cannot_open_is_refused_before_anything_starts(tmp_path: Path) -> None:
    root = tmp_path / "a?b"
    said = tuner("run", "digits", "--storage", str(root), exit_code=2).stderr
    assert said == f"tracking.uri: must be given when the path of the storage contains '?' ({root})\n"
    assert list(tmp_path.iterdir()) == []


def test_an_empty_or_damaged_journal_is_said_to_be(root: Path) -> None:
    journal = root / "test" / "journal.jsonl"
    journal.write_bytes(b"{}\n" + journal.read_bytes())
    assert "byte 0" in tuner("show", "test", "--storage", str(root), exit_code=4).stderr
    journal.write_bytes(b"")
    assert "has an empty journal" in tuner("show", "test", "--storage", str(root), exit_code=2).stderr


def test_brackets_in_a_reason_are_no_markup(tmp_path: Path) -> None:
    def curve(params: dict[str, object], epoch: int) -> float:
        raise ValueError("no kernel on [/job:localhost/device:CPU:0] for [dense]")

    journal = new_sweep(tmp_path, make_spec(failures={"max_retries": 0}))
    coordinator = coordinator_of(journal)
    SimulatedCluster(coordinator, curve).run(3)
    journal.close()
    text = tuner("trials", "test", "--storage", str(tmp_path)).stdout
    assert "[/job:localhost/device:CPU:0] for [dense]" in " ".join(text.split())


def test_a_damaged_sweep_does_not_hide_the_others(root: Path) -> None:
    (root / "bad").mkdir()
    (root / "bad" / "journal.jsonl").write_text("nonsense\n")
    rows = json.loads(tuner("list", "--json", "--storage", str(root)).stdout)
    assert [(row["sweep"], row["state"]) for row in rows] == [("bad", "damaged"), ("test", "interrupted")]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            "search.algorithm=grid",
            "space.learning_rate: a grid needs a step, num or choices, but got a continuous range",
        ),
        ("space.learning_rate.when={units: 32}", "condition"),
        ("name=mlflow.db", "must not be a name that the tracking store uses"),
        ("name=2024-13-45", "the value must be YAML"),
        ("space.units.choices=[1, 1.5]", "space.units.choices[1]: must be a whole number, but got 1.5"),
        ("space.units.choices=[1, 32.0]", "space.units.choices[1]: must be a whole number, but got 32.0"),
        ("space.units={low: 32.0, high: 64}", "space.units.low: must be a whole number, but got 32.0"),
        ("space.units=true", "space.units: must be a whole number, but got true"),
        ("space.units=null", "space.units: must be a whole number, but got null"),
        ("space.seed={low: 0, high: 4294967295}", "space.seed: the trainable has no such parameter"),
    ],
)
def test_check_refuses_what_could_not_run(change: str, message: str) -> None:
    assert message in tuner("check", "digits", "--set", change, exit_code=2).stderr


def test_more_than_this_machine_has_is_refused_before_anything_starts(tmp_path: Path) -> None:
    change = "resources.cpus_per_trial=4096"
    done = tuner("run", "digits", "--storage", str(tmp_path / "s"), "--set", change, exit_code=2)
    assert "resources: a trial takes 4096 CPUs" in done.stderr and not (tmp_path / "s").exists()
    assert "ftp" in tuner("list", TUNER_STORAGE="ftp://host/sweeps", exit_code=2).stderr


def test_report_writes_a_page_where_it_is_told(root: Path, tmp_path: Path) -> None:
    storage = ["--storage", str(root)]
    said = tuner("report", "test", *storage).stderr
    assert said == f"the report of test: {root}/test/report.html\n"
    assert "<title>test</title>" in (root / "test" / "report.html").read_text()
    own = tmp_path / "own.html"
    assert json.loads(tuner("report", "test", *storage, "-o", str(own), "--json").stdout) == {
        "sweep": "test",
        "report": str(own),
    }
    assert own.read_text() == (root / "test" / "report.html").read_text()
    for place, told in (
        (tmp_path, "must be a file"),
        (tmp_path / "no" / "x.html", "must be in a folder that there is"),
    ):
        assert told in tuner("report", "test", *storage, "-o", str(place), exit_code=2).stderr
    assert "did you mean 'test'" in tuner("report", "tset", *storage, exit_code=2).stderr


def test_compare_lists_what_came_of_sweeps_and_how_they_differ(root: Path) -> None:
    journal = new_sweep(root, make_spec(name="other", num_trials=6, early_stopping__algorithm="none", epochs__max=2))
    coordinator = coordinator_of(journal)
    SimulatedCluster(coordinator, accuracy).run()
    coordinator.close()
    journal.close()
    storage = ["--storage", str(root)]
    data = json.loads(tuner("compare", "test", "other", *storage, "--json").stdout)
    assert [row["sweep"] for row in data["sweeps"]] == ["test", "other"] and data["epochs"] == [3, 6, 12]
    assert data["differences"]["num_trials"][1] == 6 and data["differences"]["early_stopping.algorithm"] == [
        "asha",
        "none",
    ]
    said = tuner("compare", "test", "other", *storage).stdout
    assert "after 12 epochs" in said and "early_stopping.algorithm" in said and "other, trial" in said
    for names in (["test"], ["test", "test"]):
        assert "give two or more different sweeps" in tuner("compare", *names, *storage, exit_code=2).stderr


def test_export_says_what_it_cannot_do(root: Path, tmp_path: Path) -> None:
    storage = ["--storage", str(root)]
    (there := tmp_path / "there.keras").write_text("precious")
    assert "there is a file already" in tuner("export", "test", *storage, "-o", str(there), exit_code=2).stderr
    assert there.read_text() == "precious"
    assert "must end in .keras" in tuner("export", "test", *storage, "-o", str(tmp_path / "x.h5"), exit_code=2).stderr
    new = str(tmp_path / "new.keras")
    assert "has no trial 999" in tuner("export", "test", *storage, "-o", new, "--trial", "999", exit_code=2).stderr
    assert "has no checkpoints" in tuner("export", "test", *storage, "-o", new, exit_code=2).stderr
    assert not Path(new).exists()


@pytest.mark.slow
def test_ui_serves_the_store_on_this_machine_only(root: Path) -> None:
    from tuner.recording import record
    from tuner.storage import StorageRoot

    record(StorageRoot(root).sweep("test"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "tuner.cli.main", "ui", "--storage", str(root), "--port", str(port)]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        assert server.stderr is not None
        assert server.stderr.readline().startswith(f"MLflow UI: http://127.0.0.1:{port} ")
        assert server.stderr.readline().startswith(f"experiments: http://127.0.0.1:{port}/#/experiments?")
        page = f"http://127.0.0.1:{port}/#/experiments/1/runs?"
        assert server.stderr.readline().startswith(f"trials of test, best first: {page}")
        assert _get(f"http://127.0.0.1:{port}/") == 200
    finally:
        os.killpg(server.pid, 15)
        server.wait(timeout=30)
        assert server.stderr is not None
        server.stderr.close()


def test_ui_on_a_damaged_or_missing_store_is_one_line(root: Path, tmp_path: Path) -> None:
    new_sweep(root, make_spec(name="elsewhere", tracking={"uri": f"sqlite:///{tmp_path}/gone.db"})).close()
    said = tuner("ui", "elsewhere", "--storage", str(root), exit_code=4).stderr
    assert said == f"sqlite:///{tmp_path}/gone.db: there is no such file\n" and not (tmp_path / "gone.db").exists()
    (root / "mlflow.db").write_bytes(b"no database" * 1000)
    said = tuner("ui", "--storage", str(root), exit_code=4).stderr
    assert said.startswith(f"sqlite:///{root}/mlflow.db: the file is damaged, or is not a SQLite database: ")
    assert said.count("\n") == 1


def _get(url: str) -> int:
    import time

    for _ in range(120):
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return int(answer.status)
        except OSError:
            time.sleep(0.5)
    raise AssertionError(f"{url} never answered")


def test_who_lost_the_race_to_make_a_sweep_goes_on_with_it(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tuner.base.errors import SweepHeldError
    from tuner.storage import StorageRoot, SweepFolder
    from tuner.storage.journal import name_taken

    folder = StorageRoot(root).sweep("digits")

    def another_was_quicker(*_: object, **named: object) -> None:
        (root / "test").rename(folder.path)
        raise name_taken(folder)

    def held(found: SweepFolder, *_: object) -> None:
        raise SweepHeldError(f"process 7 holds {found.name}")

    monkeypatch.setattr("tuner.backend.driver.start_sweep", another_was_quicker)
    monkeypatch.setattr("tuner.backend.driver.resume_sweep", held)
    said = tuner("run", "digits", "--or-resume", "--storage", str(root), exit_code=2).stderr
    assert said == "process 7 holds digits\n"


def test_a_lock_that_cannot_be_had_is_one_line(root: Path) -> None:
    (root / "test" / "recorder.lock").mkdir()
    said = tuner("record", "test", "--storage", str(root), exit_code=4).stderr
    assert said == f"{root}/test/recorder.lock: cannot be written: Is a directory; nothing acknowledged is lost\n"


def test_an_interrupted_wait_tells_the_whole_way_on(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("tuner.backend.driver.resume_sweep", interrupted)
    said = tuner("resume", "test", "--storage", str(root), "--address", "head:6379", exit_code=3).stderr
    assert said.endswith(f"resume test --storage {root} --address head:6379\n")


@pytest.mark.parametrize("name", ["a[x]b", "[/b]", ":cat:", "a[bold]"])
def test_brackets_and_colons_in_a_path_are_what_they_are(tmp_path: Path, name: str) -> None:
    assert tuner("list", "--storage", str(tmp_path / name)).stderr == f"no sweeps in {tmp_path / name}\n"
    shown = tuner("check", "digits", "--storage", str(tmp_path / name)).stdout
    assert str(tmp_path / name) in shown


def test_a_wrong_name_is_shown_as_it_is_written() -> None:
    said = tuner("check", "digits", "--set", "space={':warning:': 3}", exit_code=2).stderr
    assert "space.:warning:: a parameter's name must be letters" in said and "but got ':warning:'" in said


def test_a_folder_does_not_hide_a_shipped_trainable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a sweep's does, for who stands in a storage root."""
    (tmp_path / "digits").mkdir()
    monkeypatch.chdir(tmp_path)
    assert "digits.yaml is a valid spec" in tuner("check", "digits").stdout


def test_brackets_in_the_parameters_of_compared_sweeps_are_what_they_are(tmp_path: Path) -> None:
    space = {"learning_rate": {"low": 1e-3, "high": 1e-1}, "activation": {"choices": ["[/relu]"]}}
    for name in ("one", "two"):
        journal = new_sweep(tmp_path, make_spec(name=name, space=space))
        SimulatedCluster(coordinator := coordinator_of(journal), accuracy).run(5)
        coordinator.close()
        journal.close()
    assert "activation=[/relu]" in tuner("compare", "one", "two", "--storage", str(tmp_path)).stdout


def test_a_report_under_a_name_that_no_file_can_have_is_one_line(root: Path) -> None:
    said = tuner("report", "test", "--storage", str(root), "-o", "x" * 300, exit_code=4).stderr
    assert "cannot be written: File name too long" in said and said.count("\n") == 1
    said = tuner("report", "test", "--storage", str(root), "-o", "~nobody-at-all/x", exit_code=2).stderr
    assert said == "--output: must be in a folder that there is, but ~nobody-at-all is none\n"


def test_a_report_is_markdown_or_numbers_on_demand(root: Path, tmp_path: Path) -> None:
    storage = ["--storage", str(root)]
    data = json.loads(tuner("report", "test", *storage, "--format", "json", "-o", "-").stdout)
    assert data["sweep"] == "test" and {"importance", "advice", "best_so_far", "outcomes", "time"} <= set(data)
    assert tuner("report", "test", *storage, "--format", "md", "-o", "-").stdout.startswith("# test\n")
    for options, told in (
        (["--format", "pdf"], "--format: must be html, md, png or json"),
        (["--format", "png", "-o", "-"], "an image cannot be written to standard output"),
        (["-o", "-", "--json"], "leave one of them out"),
        (["-o", str(tmp_path / "x.pdf")], "--output: the suffix of"),
    ):
        assert told in tuner("report", "test", *storage, *options, exit_code=2).stderr
