"""Help pages: complete, short, and shown without importing what they tell about."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.main import get_command

from tests.cli.test_commands import tuner
from tests.simulation import make_spec, new_sweep
from trainables import registry
from tuner.cli import commands, completion, help_command
from tuner.cli.app import app

ENTRIES = list(commands.entries())
HEAVY = {"numpy", "pandas", "pydantic", "ray", "tensorflow", "keras", "mlflow", "matplotlib", "sklearn", "hyperopt"}
READS_OPTIONS = {"pydantic"}
"""What typer uses to read options, where it is installed."""


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_a_list_of_commands_says_the_first_line_of_their_help(entry: commands.Entry) -> None:
    command = commands.load(entry.name)
    assert command.help.splitlines()[0] == entry.about
    assert len(f"  {'--install-completion'}  {entry.about}") <= 80
    page = tuner(entry.name, "--help").stdout
    assert page.startswith(f"Usage: tuner {entry.name} [OPTIONS]") and page.count("\nExamples:\n") == 1
    assert f"\n  tuner {entry.name}" in page.partition("Examples:")[2]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
@pytest.mark.parametrize("columns", [80, 120])
def test_a_page_fits_a_terminal(entry: commands.Entry, columns: int) -> None:
    lines = tuner(entry.name, "--help", COLUMNS=str(columns)).stdout.splitlines()
    assert [line for line in lines if len(line) > columns] == []


def test_every_option_is_described() -> None:
    group = get_command(app)
    pages = {"tuner": group, **group.commands}  # type: ignore[attr-defined]
    lacks = [
        f"{name} {parameter.name}"
        for name, command in pages.items()
        for parameter in command.params
        if not parameter.help and not getattr(parameter, "hidden", False)
    ]
    assert lacks == []


def test_the_first_page_groups_the_commands() -> None:
    page = tuner("--help", COLUMNS="80").stdout
    titles = [line for line in page.splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert titles == ["Search:", "Look:", "Decide:", "Cluster:", "Maintain:", "Options:", "Examples:"]
    assert [entry.name for entry in ENTRIES if f"\n  {entry.name} " not in page] == []


def test_the_version_is_that_of_the_package() -> None:
    assert tuner("--version").stdout.startswith("tuner 0.")


def loaded(*arguments: str, **environment: str) -> set[str]:
    """What of the heavy packages a command imports."""
    code = "import sys; from tuner.cli.main import main\ntry: main()\nfinally: sys.stderr.write(f'{[*sys.modules]}')"
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, env={**os.environ, **environment}
    )
    return {name for name in HEAVY if f"'{name}'" in done.stderr}


def test_help_imports_nothing_heavy() -> None:
    assert loaded("--help") | loaded("--version") | loaded("help", "mlflow") <= READS_OPTIONS


@pytest.mark.parametrize("command", [["list"], ["show", "test"], ["trials", "test"]])
def test_looking_at_sweeps_imports_neither_models_nor_tables(command: list[str], tmp_path: Path) -> None:
    new_sweep(tmp_path, make_spec()).close()
    assert loaded(*command, "--json", "--storage", str(tmp_path)) <= READS_OPTIONS


@pytest.mark.parametrize("topic", help_command.TOPICS)
def test_a_topic_is_a_page_of_the_project(topic: str) -> None:
    path = Path(__file__).parents[2] / help_command.TOPICS[topic].path
    assert tuner("help", topic).stdout == path.read_text(encoding="utf-8")


def test_a_terminal_gets_the_page_rendered() -> None:
    ours, theirs = os.openpty()
    command = [sys.executable, "-m", "tuner.cli.main", "help", "mlflow"]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    with subprocess.Popen(command, stdout=theirs, stdin=subprocess.DEVNULL, env=environment) as shown:
        os.close(theirs)
        page = bytearray()
        with suppress(OSError):  # which is how Linux tells the end of a terminal
            while part := os.read(ours, 65536):
                page += part
    os.close(ours)
    page_text = page.decode()
    title = help_command.read("mlflow").splitlines()[0].removeprefix("# ")
    assert shown.returncode == 0 and title in page_text and f"# {title}" not in page_text


def test_an_installed_package_has_every_topic() -> None:
    from hatchling.builders.wheel import WheelBuilder

    root = Path(__file__).parents[2]
    builder = WheelBuilder(str(root))
    packed = {file.distribution_path for file in builder.recurse_included_files()}
    packed |= set(builder.config.get_force_include().values())
    places = {
        name: {str(path.relative_to(root)) for path in topic.files(name)} for name, topic in help_command.TOPICS.items()
    }
    assert [name for name, paths in places.items() if not paths & packed] == []


def test_help_lists_topics_and_shows_the_help_of_commands() -> None:
    overview = tuner("help").stdout
    assert [topic for topic in help_command.TOPICS if f"\n  {topic} " not in overview] == []
    assert tuner("help", "run").stdout == tuner("run", "--help").stdout


def test_a_topic_that_there_is_not_gets_the_nearest() -> None:
    assert tuner("help", "stroage", exit_code=2).stderr == (
        "help: there is no topic or command 'stroage'; did you mean 'storage'?\n"
    )


def completed(line: str) -> list[str]:
    environment = {"_TUNER_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
    done = subprocess.run(
        [sys.executable, "-c", "from tuner.cli.main import main; main()"],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )
    return done.stdout.split()


def test_a_shell_completes_commands_sweeps_and_topics(tmp_path: Path) -> None:
    new_sweep(tmp_path, make_spec(name="first")).close()
    assert completed("tuner re") == ["resume", "report", "record"]
    assert completed(f"tuner show --storage {tmp_path} fi") == ["first"]
    assert completed("tuner help cl") == ["clusters"]


def test_specs_are_completed_by_trainables_and_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("mine.yaml", "mine.txt", ".hidden.yaml"):
        Path(name).touch()
    Path("more").mkdir()
    assert completion.specs("") == [*registry.names(), "mine.yaml", "more/"]
    assert completion.specs("mi") == ["mine.yaml"] and completion.specs("none/x") == []


def test_a_storage_that_cannot_be_read_completes_nothing() -> None:
    ctx = SimpleNamespace(params={"storage": "/dev/null/x"})
    assert completion.sweep_names(ctx, "") == []  # type: ignore[arg-type]


def test_docstrings_are_what_help_says() -> None:
    assert inspect.getdoc(help_command.help_page) == commands.load("help").help
