"""Expressions: what they are worth, what they refuse and where, and that they run no code."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainables.expressions import CHARS_MAX, ExpressionError, as_expression, parse, with_value_of

METRICS = {"val_loss": 0.5, "latency_ms": 20.0, "val_accuracy": 0.9, "val/top@5": 0.8, "max": 3.0}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("val_loss + 0.1 * latency_ms", 2.5),
        ("val_loss+0.1*latency_ms", 2.5),
        ("-val_loss ** 2", -0.25),
        ("(val_loss + 1) / -2", -0.75),
        ("max(val_loss, 1 - val_accuracy, 0.2)", 0.5),
        ("min(val_loss, val_accuracy)", 0.5),
        ("abs(val_loss - 1)", 0.5),
        ("log(exp(val_loss))", 0.5),
        ("log10(100) * val_loss", 1.0),
        ("sqrt(latency_ms * 5)", 10.0),
        ("latency_ms // 3 + latency_ms % 3", 8.0),
        ("`val/top@5` * 10", 8.0),
        ("`max` + max(1, `max`)", 6.0),
        ("max + 1", 4.0),
        ("1e-1 * latency_ms", 2.0),
        (" val_loss\n + 1 ", 1.5),
    ],
)
def test_value(text: str, value: float) -> None:
    assert parse(text).number(METRICS) == pytest.approx(value)


@pytest.mark.parametrize(
    "text",
    ["val_loss / 0", "log(0 * val_loss)", "sqrt(-val_loss)", "(-val_loss) ** 0.5", "exp(latency_ms * 100)",
     "9 ** 9 ** 9 ** 9 * val_loss", "val_loss % 0", "0 ** -val_loss"],
)  # fmt: skip
def test_what_has_no_value_is_not_a_number(text: str) -> None:
    assert math.isnan(parse(text).number(METRICS))


@pytest.mark.parametrize("text", ["min(a, b)", "max(b, a)", "a + b", "min(b, a, 1)"])
@pytest.mark.parametrize("value", [math.nan, None])
def test_a_metric_that_is_not_finite_makes_the_value_so(text: str, value: float | None) -> None:
    assert math.isnan(parse(text).number({"a": value, "b": 1.0}))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("val_loss +* 2", "its syntax is wrong at character 11 ('* 2')"),
        ("`val loss` +* 2", "its syntax is wrong at character 13 ('* 2')"),
        ("(val_loss", "its syntax is wrong at character 1 ('(val_loss')"),
        (
            "val_loss + mean(a, b)",
            "no functions but min, max, abs, log, log10, exp, sqrt, but got mean at character 12",
        ),
        ("min(val_loss)", "must give min two or more arguments, but got 1 at character 1"),
        ("log(a, b)", "must give log one argument, but got 2"),
        ("a.b + 1", "has something else at character 1 ('a.b + 1')"),
        ("a < b", "has something else at character 1"),
        ("a + `b", "must have a second backtick after a name at character 5 ('`b')"),
        ("a + ``", "must have a name in backticks, but got none at character 5"),
        ("a" * (CHARS_MAX + 1), f"must have at most {CHARS_MAX} characters"),
        ("(" * 240 + "a" + ")" * 240, "must be an expression"),
    ],
)
def test_refusals_name_the_place(text: str, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["__import__('os').system('true')", "().__class__", "a[0]", "lambda: a", "[a for a in b]", "a if b else c",
     "f'{a}'", "(a := 1)", "min(*a)", "max(a, b, key=c)", "print(a)", "'a' * 9", "a @ b", "a << 99", "~a", "a and b"],
)  # fmt: skip
def test_nothing_else_is_in_the_grammar(text: str) -> None:
    with pytest.raises(ExpressionError):
        parse(text)


@given(st.text(max_size=40))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        expression = parse(text)
    except ExpressionError:
        return
    assert isinstance(expression.number(dict.fromkeys(expression.names, 1.0)), float)
    assert parse(expression.text).text == expression.text


def test_long_sums() -> None:
    assert parse("+".join(["a"] * 250)).number({"a": 1.0}) == 250.0


def test_one_form_for_all_spellings() -> None:
    assert parse("a+ 0.10*`b c`").text == parse("(a + 0.1 * `b c`)").text == "a + 0.1 * `b c`"


def test_names_in_their_order() -> None:
    assert parse("b + `a/c` * b - min(a, 1)").names == ("b", "a/c", "a")


@pytest.mark.parametrize("text", ["val_loss", " val_loss ", "top@5", "3", "a +", "`a b`"])
def test_a_name_alone_or_no_expression(text: str) -> None:
    found = as_expression(text)
    assert found is None or text == "`a b`"


def test_metrics_with_the_value_of_an_expression() -> None:
    metrics: dict[str, float] = {"a": 1.0, "b": 2.0, "a-b": 9.0}
    assert with_value_of("a + b", metrics) == {**metrics, "a + b": 3.0}
    for text in ("a", "a-b", "a + c", "a +"):  # a metric of this very name wins
        assert with_value_of(text, metrics) is metrics


@pytest.mark.parametrize(
    ("text", "is_met"),
    [
        ("units * depth <= 512", True),
        ("units * depth < 512 and depth > 4", False),
        ("not (units > 128) or depth == 1", False),
        ("64 < units <= 256", True),
        ("schedule == 'cosine' and units % 8 == 0", True),
        ("schedule in ['constant', 'cosine']", True),
        ("schedule not in ('constant', 'cosine')", False),
        ("bias == true", True),
        ("dropout == null", True),
    ],
)
def test_conditions(text: str, is_met: bool) -> None:
    values = {"units": 256, "depth": 2, "schedule": "cosine", "bias": True, "dropout": None}
    assert parse(text, is_condition=True).value(values) is is_met


def test_a_condition_of_a_name_without_a_value() -> None:
    with pytest.raises(KeyError, match="units"):
        parse("units < 3", is_condition=True).value({})
    with pytest.raises(TypeError):
        parse("'a' * 9 == units", is_condition=True).value({"units": 1})
