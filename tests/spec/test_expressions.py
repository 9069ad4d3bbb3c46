"""How a spec tells an expression of metrics from a metric's name."""

from __future__ import annotations

import pytest

from tuner.spec.expressions import canonical, has_own_name


@pytest.mark.parametrize(
    "text", ["val_loss", "top@5", "my metric", "val/loss", "val_my-output_accuracy", "a.b", "f(x)"]
)
def test_names_of_metrics(text: str) -> None:
    assert not has_own_name(text)


@pytest.mark.parametrize("text", ["a + b", "a*2", "-a * b", "max(a, b)", "a / b"])
def test_expressions(text: str) -> None:
    assert has_own_name(text)


def test_all_spellings_have_one_form() -> None:
    assert canonical("a+0.10*b") == canonical(" a + 0.1*b") == "a + 0.1 * b"
    assert canonical("top@5") == "top@5"
