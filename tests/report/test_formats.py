"""The other formats of a report: Markdown, an image, and numbers."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.report.sweeps import NASTY, found, made, swept
from tuner.analysis.advice import Advice
from tuner.api.formats import chosen_format
from tuner.api.reports import report_text, write_report
from tuner.base.errors import UsageError
from tuner.report.charts import FIGURES, Tables
from tuner.report.markdown import report_markdown
from tuner.report.numbers import report_data
from tuner.report.picture import MAIN, picture
from tuner.storage import StorageRoot

PNG = b"\x89PNG"


def test_numbers_are_those_of_the_sweep(tmp_path: Path) -> None:
    sweep = swept(tmp_path)
    data = json.loads(json.dumps(report_data(Tables(sweep, found(sweep)), "finished"), allow_nan=False))
    best = sweep.best
    assert best is not None and data["best"]["trial"] == best.number and data["best"]["value"] == best.best_value
    assert data["best_so_far"][-1] == {"epochs": sweep.num_epochs, "value": best.best_value}
    assert data["importance"]["learning_rate"] == {"value": 0.7, "low": 0.6, "high": 0.8}
    assert sum(it["trials"] for it in data["outcomes"]) == 30
    assert [rung["epoch"] for rung in data["rungs"]] == [1, 3, 9, 27]
    assert sum(len(rung["stopped"]) for rung in data["rungs"]) == sweep.outcomes()["stopped"] == data["saved"]["trials"]
    assert data["time"]["slots"]["training_s"] == pytest.approx(sweep.training_s, rel=1)
    assert data["throughput"]["unit"] == "epochs"


def test_what_cannot_be_told_is_null(tmp_path: Path) -> None:
    data = report_data(Tables(made(0, 1)), "running")
    nothing = ("best", "importance", "time", "saved", "throughput")
    assert [data[name] for name in nothing] == [None] * len(nothing) and data["rungs"] == data["best_so_far"] == []
    assert data["importance_reason"]


def test_markdown_has_the_best_what_matters_and_ten_trials(tmp_path: Path) -> None:
    sweep = swept(tmp_path)
    text = report_markdown(Tables(sweep, found(sweep)), "finished")
    best = sweep.best
    assert best is not None and f"**val\\_accuracy {best.best_value:.4f}** in trial {best.number}" in text
    assert "learning\\_rate 70% (60 to 80)" in text and "The best 10 of 30 trials" in text and "![" not in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) == 12 and len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1


def test_markup_in_names_is_text_in_markdown() -> None:
    sweep = made(5, 2, {f"{NASTY}|`": {"low": 0.0, "high": 1.0}, "b": {"choices": [NASTY, "a|b`c"]}}, metric=NASTY)
    text = report_markdown(Tables(sweep, found(sweep)), "finished")
    outside = re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", text)
    assert "<script" not in outside and "<b>" not in outside
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1


def test_a_command_is_code_as_it_is_pasted() -> None:
    sweep = made(2, 1)
    piece = Advice(
        "at_bound", "Widen it:", "tuner resume made --set 'space.kind.choices=[\"a|b\"]'", ["space.kind.choices=[]"]
    )
    text = report_markdown(Tables(sweep, found(sweep), advised=[piece]), "finished")
    assert f"\n   `{piece.command}`\n" in text


def test_a_picture_has_the_main_figures_and_only_those_there_are(tmp_path: Path) -> None:
    assert {name for row in MAIN for name in row} <= set(FIGURES)
    sweep = swept(tmp_path, num_trials=8)
    whole, part = picture(Tables(sweep, found(sweep))), picture(Tables(made(2, 1)))
    assert whole is not None and part is not None and whole.startswith(PNG) and part.startswith(PNG)
    assert picture(Tables(made(0, 1))) is None


def test_files_are_written_beside_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sweep = swept(tmp_path, num_trials=8)
    folder = StorageRoot.resolve(str(tmp_path)).sweep("test")
    target = tmp_path / "a (b).md"
    assert write_report(folder, sweep, target, "md") == target
    linked = re.findall(r"!\[.*\]\(<(.*)>\)", target.read_text())
    assert linked and all((tmp_path / file).read_bytes().startswith(PNG) for file in linked)
    monkeypatch.chdir(tmp_path)
    assert json.loads(Path(write_report(folder, sweep, None, "json")).read_text())["sweep"] == "test"
    assert (tmp_path / "test.json").exists() and not (tmp_path / "test" / "report.html").exists()
    assert write_report(folder, sweep, None) == tmp_path / "test" / "report.html"
    with pytest.raises(UsageError, match="standard output"):
        report_text(folder, sweep, "png")


def test_the_format_is_named_or_the_files_own() -> None:
    assert [chosen_format(None, file) for file in (None, "-", "a", "A.HTML", "x.md", "x.png", "x.json")] == [
        "html", "html", "html", "html", "md", "png", "json",
    ]  # fmt: skip
    assert chosen_format("md", "x") == chosen_format("md", "x.txt") == chosen_format("md", None) == "md"


@pytest.mark.parametrize(
    ("named", "output", "message"),
    [
        ("pdf", None, "format: must be html, md, png or json, but is 'pdf'"),
        (None, "x.pdf", "output: the suffix of x.pdf says no format"),
        ("md", "x.html", "format: is md, but x.html says html"),
    ],
)
def test_a_format_that_is_none_or_contradicts_the_file_is_one_line(
    named: str | None, output: str | None, message: str
) -> None:
    with pytest.raises(UsageError) as error:
        chosen_format(named, output)
    assert str(error.value).startswith(message)
