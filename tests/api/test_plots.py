"""What a notebook shows of a sweep, without a network: tables, figures, and Altair charts."""

from __future__ import annotations

import base64
import gzip
import html
import re
from pathlib import Path

import altair as alt
import pytest

import tuner
from tests.simulation import SimulatedCluster, accuracy, coordinator_of, make_spec, new_sweep
from tuner.api.plots import Plots
from tuner.report.charts import FIGURES


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> tuner.Sweep:
    root = tmp_path_factory.mktemp("root")
    journal = new_sweep(root, make_spec())
    SimulatedCluster(coordinator_of(journal), accuracy).run()
    journal.close()
    return tuner.load("test", storage=root)


def framed(shown: str) -> str:
    """The page in the frame of an output."""
    found = re.search(r'<iframe [^>]*srcdoc="([^"]*)"></iframe>', shown)
    assert found is not None
    packed = re.search(r'atob\("([^"]*)"\)', html.unescape(found[1]))
    assert packed is not None
    return gzip.decompress(base64.b64decode(packed[1])).decode()


def test_there_is_a_method_for_every_figure_of_the_report(sweep: tuner.Sweep) -> None:
    assert set(dir(sweep.plot)) == set(FIGURES)
    assert repr(sweep.plot).startswith("<figures of a sweep: ")
    assert all(getattr(Plots, name).__doc__ for name in FIGURES)


def test_a_plot_is_an_altair_chart_that_needs_no_network(sweep: tuner.Sweep) -> None:
    chart = sweep.plot.curves()
    assert isinstance(chart, alt.LayerChart) and type(chart).__name__ == "LayerChart"
    for shown in (chart, chart.properties(title="mine")):
        bundle = shown._repr_mimebundle_()
        assert set(bundle) == {"text/html", "text/plain"} and len(bundle["text/html"]) < 1_500_000
        before, page = bundle["text/html"].partition("<iframe")[0], framed(bundle["text/html"])
        assert before.startswith('<img class="tuner-picture"') and "data:image/png;base64," in before
        assert "vegaEmbed" in page and not re.search(r'(src|href)="?(https?:)?//', page)
    assert alt.Chart.from_dict(chart.to_dict())  # a spec that Altair itself accepts


def test_a_renderer_that_was_chosen_shows_the_charts(sweep: tuner.Sweep) -> None:
    with alt.renderers.enable("json"):
        assert "application/json" in str(sweep.plot.curves()._repr_mimebundle_())


def test_the_sweep_shows_tables_what_matters_and_its_main_figures(sweep: tuner.Sweep) -> None:
    shown = sweep._repr_html_()
    before, page = shown.partition("<iframe")[0], framed(shown)
    assert "what matters" in before and "learning_rate=" in before
    assert all(f'id="{name}-0"' in page for name in ("parallel_coordinates", "map", "best_so_far", "curves"))
    assert len(shown) < 1_500_000 and not re.search(r'(src|href)="?(https?:)?//', page)


def test_what_cannot_be_shown_is_an_error_that_says_why(tmp_path: Path) -> None:
    new_sweep(tmp_path, make_spec(space={"learning_rate": 0.1})).close()
    sweep = tuner.load("test", storage=tmp_path)
    with pytest.raises(tuner.UsageError, match=r"plot\.curves: nothing to show of sweep test: it has no trial yet"):
        sweep.plot.curves()
    assert "<iframe" not in sweep._repr_html_()


def test_constants_have_no_plot_of_parameters(tmp_path: Path) -> None:
    journal = new_sweep(tmp_path, make_spec(space={"learning_rate": 0.1}, num_trials=1))
    SimulatedCluster(coordinator_of(journal), lambda params, epoch: 0.5).run()
    journal.close()
    plot = tuner.load("test", storage=tmp_path).plot
    with pytest.raises(tuner.UsageError, match="its spec searches no parameter"):
        plot.parallel_coordinates()
    with pytest.raises(tuner.UsageError, match=r"plot.importance: nothing to show of sweep test: \w+"):
        plot.importance()
    assert plot.curves() is not None


def test_a_comparison_is_a_dict_that_a_notebook_shows_as_tables(sweep: tuner.Sweep, tmp_path: Path) -> None:
    journal = new_sweep(tmp_path, make_spec(name="b", search__seed=5))
    SimulatedCluster(coordinator_of(journal), accuracy).run()
    journal.close()
    found = tuner.compare(sweep, tuner.load("b", storage=tmp_path))
    assert isinstance(found, dict) and found["sweeps"][1]["sweep"] == "b"
    shown = found._repr_html_()
    assert (
        "Best configurations" in shown and "search.seed" in shown and found["pairs"][0]["text"] in html.unescape(shown)
    )
