"""The page of a report: whole, self-contained, and honest about names that are markup elsewhere."""

from __future__ import annotations

import base64
import re
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from tests.simulation import SimulatedCluster, accuracy, coordinator_of, make_spec, new_sweep
from tuner.report import figures, report_page
from tuner.report.page import TRIALS_SHOWN
from tuner.storage.journal import read_events
from tuner.sweep import Sweep, fold

NASTY = "<b>$x_1$ & co</b>"


class _Page(HTMLParser):
    """The texts and images of a page, and the tags that are open."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.images: list[str] = []
        self.tags: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.images += [str(value) for name, value in attrs if name == "src"]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.texts))


def swept(folder: Path, **changes: Any) -> Sweep:
    """A sweep of pretended trainings."""
    journal = new_sweep(folder, make_spec(**changes))
    coordinator = coordinator_of(journal)
    SimulatedCluster(coordinator, accuracy).run()
    coordinator.close()
    journal.close()
    return fold(read_events(journal.folder))


def test_the_page_tells_the_best_trial_and_shows_four_figures(tmp_path: Path) -> None:
    sweep = swept(tmp_path)
    page = _Page(report_page(sweep, "finished"))
    best = sweep.best
    assert best is not None
    assert f"val_accuracy {best.best_value:.4f} in trial {best.number}, epoch {best.best_epoch}" in page.text
    assert "finished, looks for the highest val_accuracy" in page.text and "name: test" in page.text
    assert len(page.images) == 4 and page.tags.count("tr") == 1 + len(sweep.ranked())
    for image in page.images:  # nothing is fetched from anywhere
        kind, _, data = image.partition(",")
        assert kind == "data:image/svg+xml;base64"
        assert ElementTree.fromstring(base64.b64decode(data)).tag.endswith("svg")


def test_learning_curves_are_drawn_over_epochs_steps_or_samples(tmp_path: Path) -> None:
    sweep = swept(tmp_path, num_trials=6)
    for trial in sweep.trials.values():
        for epoch in trial.epochs:
            epoch.metrics.update(steps=10.0 * epoch.epoch, samples=300.0 * epoch.epoch, steps_per_epoch=10.0)
    page = _Page(report_page(sweep, "finished"))
    assert len(page.images) == 6 and page.tags.count("input") == 3 == page.tags.count("label")
    assert all(over in page.texts for over in ("epochs", "steps", "samples"))
    drawn = [base64.b64decode(image.partition(",")[2]).decode() for image in page.images]
    assert [label in drawn[1 + n] for n, label in enumerate(("epoch", "optimizer steps", "examples seen"))] == [
        True
    ] * 3
    sweep.trials[0].epochs[-1].metrics.clear()  # as of an earlier version
    assert len(_Page(report_page(sweep, "finished")).images) == 4


def test_a_rate_that_follows_the_batch_size_is_told(tmp_path: Path) -> None:
    batch_size = {"choices": [32, 64], "scale_learning_rate": "linear", "base": 32}
    space = {"learning_rate": {"low": 1e-4, "high": 1e-1, "scale": "log"}, "batch_size": batch_size}
    text = _Page(report_page(swept(tmp_path, space=space, num_trials=4), "finished")).text
    assert "grows with the batch size, from its value at 32" in text and "scaled_learning_rate" in text


def test_choices_are_text_and_nothing_else(tmp_path: Path) -> None:
    space = {"layer": {"choices": [NASTY, "$a$"]}, "learning_rate": {"low": 1e-4, "high": 1e-1, "scale": "log"}}
    parsed = _Page(report_page(swept(tmp_path, space=space, num_trials=12), "finished"))
    assert NASTY in parsed.text and not {"b", "i"} & set(parsed.tags)
    drawn = [base64.b64decode(image.partition(",")[2]).decode() for image in parsed.images]
    assert any(NASTY in "".join(ElementTree.fromstring(svg).itertext()) for svg in drawn)


@pytest.mark.parametrize("suggested", [0, 2])
def test_a_sweep_without_an_epoch_has_a_page_too(tmp_path: Path, suggested: int) -> None:
    journal = new_sweep(tmp_path, make_spec())
    coordinator = coordinator_of(journal)
    coordinator.set_slots(2)
    for _ in range(suggested):
        coordinator.next_trial()
    journal.close()
    page = _Page(report_page(fold(read_events(journal.folder)), "running"))
    assert "No trial has a usable value yet." in page.text and not page.images
    assert f"{suggested} of 30" in page.text


def test_many_trials_are_drawn_as_pixels_and_the_best_of_them_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep = swept(tmp_path, num_trials=80, early_stopping__algorithm="none", epochs__max=2)
    as_vectors = figures.curves_figure(sweep)
    monkeypatch.setattr(figures, "VECTORS_MAX", 10)
    assert "<image" in figures.curves_figure(sweep) and "<image" not in as_vectors
    page = _Page(report_page(sweep, "finished"))
    assert page.tags.count("tr") == 1 + TRIALS_SHOWN and f"The best {TRIALS_SHOWN} of 80" in page.text


def test_a_page_of_the_same_sweep_is_the_same(tmp_path: Path) -> None:
    sweep = swept(tmp_path, num_trials=6)
    assert report_page(sweep, "finished") == report_page(sweep, "finished")
