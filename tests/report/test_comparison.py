"""The page, the Markdown and the JSON of a comparison."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_commands import tuner as command
from tests.simulation import SPACE, SimulatedCluster, accuracy, coordinator_of, make_spec, new_sweep
from tuner.analysis.comparison import compare
from tuner.report.comparison import comparison_markdown, comparison_page
from tuner.review.status import find_sweep
from tuner.storage import StorageRoot


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sweeps with different spaces."""
    root = tmp_path_factory.mktemp("root")
    for name, space, shift in (("first", SPACE, 0.0), ("second", {**SPACE, "momentum": {"low": 0, "high": 0.9}}, 0.1)):
        journal = new_sweep(root, make_spec(name=name, space=space, num_trials=40))
        SimulatedCluster(coordinator_of(journal), lambda params, epoch, by=shift: accuracy(params, epoch) - by).run()
        journal.close()
    return root


@pytest.fixture(scope="module")
def data(root: Path) -> dict[str, Any]:
    return compare([find_sweep(StorageRoot(root), name)[1] for name in ("first", "second")])


def test_the_page_has_curves_configurations_differences_and_the_verdict(data: dict[str, Any]) -> None:
    page = comparison_page(data)
    assert data["pairs"][0]["better"] == "first" and data["pairs"][0]["text"] in page
    assert all(f'id="{name}-0"' in page for name in ("best-epochs", "best-seconds", "intervals"))
    assert "Best configurations" in page and "space.momentum.high" in page and len(page) < 2_000_000
    assert comparison_page(data) == page
    drawn = json.loads(page.split('id="report">')[1].split("</script>")[0])
    assert set(drawn["tables"]["best_epochs"]["s"]) == {"first", "second"}
    assert drawn["tables"]["best_seconds"]["v"][-1] == pytest.approx(data["sweeps"][1]["best"]["value"], rel=1e-5)


def test_markdown_has_the_verdict_and_tables(data: dict[str, Any]) -> None:
    text = comparison_markdown(data)
    assert text.startswith("## first against second\n- first is better than second by ")
    assert "| | first | second |\n|---|---|---|\n" in text and "| learning\\_rate |" in text


def test_names_that_are_equal_or_hurt_are_told_apart_and_escaped(data: dict[str, Any]) -> None:
    rows = [{**row, "sweep": "<script>x|y"} for row in data["sweeps"]]
    hurting = {**data, "sweeps": rows, "metric": "</script><b>", "differences": {"space.<i>": ["</script>", None]}}
    page = comparison_page(hurting)
    assert "<script>x" not in page and "&lt;script&gt;x|y (2)" in page and "<b>" not in page and "<i>" not in page
    assert "&lt;script&gt;x\\|y" in comparison_markdown(hurting)


def test_sweeps_without_values_have_a_page_too(data: dict[str, Any]) -> None:
    bare = {"best": None, "after": [], "to_reach": None, "curve": {"epochs": [], "seconds": []}, "importance": None}
    pair = {**data["pairs"][0], "by": None, "low": None, "high": None, "better": None, "text": "cannot tell yet"}
    empty = {**data, "epochs": [], "bar": None, "sweeps": [{**row, **bare} for row in data["sweeps"]], "pairs": [pair]}
    assert "cannot tell yet" in comparison_page(empty) and "- cannot tell yet" in comparison_markdown(empty)


def test_the_command_writes_what_the_file_s_ending_says(root: Path, tmp_path: Path, data: dict[str, Any]) -> None:
    both = ("compare", "first", "second", "--storage", str(root))
    assert command(*both, "-o", str(tmp_path / "x.html")).stderr == f"the comparison: {tmp_path}/x.html\n"
    assert (tmp_path / "x.html").read_text() == comparison_page(data)
    assert command(*both, "--format", "md").stdout == comparison_markdown(data)
    assert command(*both, "--format", "md", "-o", "-").stdout == comparison_markdown(data)
    command(*both, "-o", str(tmp_path / "x.txt"), "--format", "json")
    assert json.loads((tmp_path / "x.txt").read_text()) == json.loads(command(*both, "--json").stdout)
    told = json.loads(command(*both, "-o", str(tmp_path / "x.md"), "--json").stdout)
    assert told["report"] == str(tmp_path / "x.md") and told["pairs"] == json.loads(json.dumps(data["pairs"]))
    assert "first is better than second by" in command(*both).stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ("-o", "x.txt"),
            "--output: the suffix of x.txt says no format of a report; end it in .html, .md, .png or .json, or",
        ),
        (("-o", "x.png"), "--format: a comparison is written as html, md or json, but got png"),
        (("-o", "x.md", "--format", "json"), "--format: is json, but x.md says md; leave one of them out"),
        (("--format", "html"), "--format html: needs --output FILE, or - for standard output"),
        (("--format", "pdf"), "--format: must be html, md, png or json, but is 'pdf'"),
        (("--json", "-o", "-"), "--format html and --json both write to standard output; leave one of them out"),
    ],
)
def test_mistakes_are_one_line(root: Path, options: tuple[str, ...], message: str) -> None:
    said = command("compare", "first", "second", "--storage", str(root), *options, exit_code=2).stderr
    assert said.startswith(message) and said.count("\n") == 1
