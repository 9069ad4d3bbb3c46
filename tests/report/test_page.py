"""The page of a report: whole, self-contained, bounded, and honest about names that are markup elsewhere."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from tests.report.sweeps import NASTY, found, made, swept
from tests.simulation import coordinator_of, make_spec, new_sweep
from tuner.report import report_page
from tuner.report.bundle import vega_script
from tuner.report.charts import FIGURES, Tables
from tuner.report.page import page_of
from tuner.storage.journal import read_events
from tuner.sweep import fold

PAGE_BYTES_MAX = 2_000_000


class Page(HTMLParser):
    """The texts of a page outside of scripts, its tags and what they link to, and the data of its charts."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.tags: list[str] = []
        self.links: list[str] = []
        self.scripts: list[str] = []
        self.classes: list[str] = []
        self.feed(html)
        self.data = next(json.loads(text) for text in self.scripts if text.startswith("{"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [str(value) for name, value in attrs if name in ("src", "href", "action")]
        self.classes += [str(value) for name, value in attrs if name == "class"]

    def handle_data(self, data: str) -> None:
        (self.scripts if self.tags[-1:] == ["script"] and data.strip() else self.texts).append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.texts))

    def figures(self) -> set[str]:
        return {chart["id"].rpartition("-")[0] for chart in self.data["charts"]}


def test_the_page_tells_the_best_trial_and_draws_what_it_has_data_for(tmp_path: Path) -> None:
    sweep = swept(tmp_path)
    page = Page(report_page(sweep, "finished"))
    best = sweep.best
    assert best is not None
    assert f"val_accuracy {best.best_value:.4f} in trial {best.number}, epoch {best.best_epoch}" in page.text
    assert "finished, looks for the highest val_accuracy" in page.text and "name: test" in page.text
    assert page.figures() >= set(FIGURES) - {"importance", "slices", "contours"}
    assert page.data["tables"]["trials"]["t"] == list(range(30)) and page.data["best"] == best.number


def test_importance_and_advice_stand_at_the_top(tmp_path: Path) -> None:
    sweep = swept(tmp_path)
    page = Page(page_of(Tables(sweep, found(sweep)), "finished"))
    assert page.figures() == set(FIGURES)
    assert "learning_rate 70% (60 to 80), batch_size 30% (20 to 40)" in page.text
    assert page.text.index("learning_rate 70%") < page.text.index("Parallel coordinates")


def test_nothing_is_fetched_from_anywhere(tmp_path: Path) -> None:
    html = report_page(swept(tmp_path, num_trials=6), "finished")
    assert Page(html).links == ["data:,"]
    assert "default-src 'none'" in html and "@import" not in html and "url(" not in html[: html.index("<script")]
    assert f'<meta name="tuner-journal" content="{"0" * 32} ' in html[: html.index("</head>")]


def test_learning_curves_are_drawn_over_epochs_steps_or_samples(tmp_path: Path) -> None:
    sweep = made(6, 9)
    page = Page(report_page(sweep, "finished"))
    spec = next(chart["spec"] for chart in page.data["charts"] if chart["id"] == "curves-0")
    [over] = [param for param in spec["params"] if param["name"] == "over"]
    assert over["bind"]["options"] == ["epochs", "steps", "samples"]
    assert page.data["tables"]["curves"]["samples"][:2] == [300, 600]
    sweep.trials[0].epochs[-1].metrics.clear()  # as of an earlier version
    assert set(Page(report_page(sweep, "finished")).data["tables"]["curves"]) == {"t", "y", "epochs"}


def test_a_rate_that_follows_the_batch_size_is_told(tmp_path: Path) -> None:
    batch_size = {"choices": [32, 64], "scale_learning_rate": "linear", "base": 32}
    space = {"learning_rate": {"low": 1e-4, "high": 1e-1, "scale": "log"}, "batch_size": batch_size}
    text = Page(report_page(swept(tmp_path, space=space, num_trials=4), "finished")).text
    assert "grows with the batch size, from its value at 32" in text and "scaled_learning_rate" in text


def test_names_and_values_are_text_and_nothing_else() -> None:
    space = {NASTY: {"low": 0.0, "high": 1.0}, f"{NASTY}2": {"choices": [NASTY, "$a$", "x" * 5000, "x" * 4999]}}
    sweep = made(12, 3, space, metric=f"val.{NASTY}")
    html = page_of(Tables(sweep, found(sweep)), "finished")
    page = Page(html)
    assert not {"b", "i"} & set(page.tags) and page.tags.count("script") == 3 and NASTY in page.text
    assert len(html) - len(vega_script()) < 200_000
    labels = [column["label"] for column in page.data["columns"]]
    assert len(set(labels)) == len(labels) and all(len(label) < 60 for label in labels)
    assert len(set(page.data["tables"]["trials"]["p1"])) == 4  # long values stay apart
    assert all(field in ("t", "v", "b", "e", "o", "s", "p0", "p1") for field in page.data["tables"]["trials"])


@pytest.mark.parametrize("suggested", [0, 2])
def test_a_sweep_without_an_epoch_has_a_page_too(tmp_path: Path, suggested: int) -> None:
    journal = new_sweep(tmp_path, make_spec())
    coordinator = coordinator_of(journal)
    coordinator.set_slots(2)
    for _ in range(suggested):
        coordinator.next_trial()
    journal.close()
    page = Page(report_page(fold(read_events(journal.folder)), "running"))
    assert "No trial has a usable value yet." in page.text and page.figures() <= {"outcomes"}
    assert f"{suggested} of 30" in page.text


def test_the_page_of_a_large_sweep_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    sweep = made(2_000, 27)
    monkeypatch.setattr(Tables, "advice", [])
    html = page_of(Tables(sweep, found(sweep)), "finished")
    assert len(html.encode()) < PAGE_BYTES_MAX
    page = Page(html)
    assert len(page.data["tables"]["trials"]["t"]) == 2_000
    assert len(page.data["tables"]["curves"]["t"]) <= 20_000 and "some points are left out" in page.text


def test_of_more_trials_than_can_be_drawn_the_best_and_the_newest_are(monkeypatch: pytest.MonkeyPatch) -> None:
    sweep = made(3_000, 1)
    monkeypatch.setattr(Tables, "advice", [])
    page = Page(page_of(Tables(sweep, found(sweep)), "finished"))
    drawn = page.data["tables"]["trials"]["t"]
    assert len(drawn) == 2_000 and drawn == sorted(drawn) and 2_999 in drawn
    assert {trial.number for trial in sweep.ranked()[:1000]} <= set(drawn)
    assert "2,000 of 3,000 trials are drawn" in page.text


def test_a_page_of_the_same_sweep_is_the_same(tmp_path: Path) -> None:
    sweep = swept(tmp_path, num_trials=6)
    assert report_page(sweep, "finished") == report_page(sweep, "finished")


def test_the_script_is_kept_and_made_again_where_it_cannot_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = vega_script()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    vega_script.cache_clear()
    assert vega_script() == text
    [kept] = (tmp_path / "cache" / "tuner").iterdir()
    assert kept.read_text() == text and "</script" not in text
    kept.write_text("// as it is kept")
    vega_script.cache_clear()
    assert vega_script() == "// as it is kept"
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    vega_script.cache_clear()
    assert vega_script() == text
    vega_script.cache_clear()


def spec_names(spec: Any) -> set[str]:
    """All names of fields in a spec."""
    if isinstance(spec, list):
        return set().union(*map(spec_names, spec))
    if not isinstance(spec, dict):
        return set()
    own = {spec["field"]} if isinstance(spec.get("field"), str) else set()
    return own.union(*map(spec_names, spec.values()))


def test_fields_are_safe_names() -> None:
    sweep = made(6, 2, {NASTY: {"low": 0.0, "high": 1.0}, "a.b[0]": {"choices": ["x", "y"]}})
    page = Page(page_of(Tables(sweep, found(sweep)), "finished"))
    names = set().union(*(spec_names(chart["spec"]) for chart in page.data["charts"]))
    assert names and all(re.fullmatch(r"\w+", name) for name in names)
