import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.base.words import Scalar
from tuner.recording.values import is_long, one_name, param_text, tag_text, value_text


def test_values_are_written_as_people_write_them() -> None:
    written: dict[str, Scalar] = {
        "0.001": 0.001,
        "0.00001": 1e-5,
        "32": 32,
        "1.0": 1.0,
        "true": True,
        "false": False,
        "null": None,
        "adam": "adam",
        "nan": float("nan"),
        "10000000000000000000000": 1e22,
    }
    for text, value in written.items():
        assert value_text(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_no_digit_is_lost_and_no_exponent_is_used(value: float) -> None:
    assert float(value_text(value)) == value
    assert "e" not in value_text(value)


def test_two_long_values_stay_two() -> None:
    texts = [param_text("x" * 7000 + end) for end in ("", "a", "b", "x" * 7000)]
    assert len(set(texts)) == 4
    assert {len(text) for text in texts} == {6000}
    assert texts[1].startswith("x" * 5900)
    assert "… (7001 characters, sha256 " in texts[1]
    assert len(tag_text("y" * 9000)) == 8000


@pytest.mark.parametrize("text", ["", " ", "a\nb", "…", "x" * 6000, "中" * 6000, "\x1b[31m", "… (7 characters)"])
def test_what_every_store_takes_stays_as_it_is(text: str) -> None:
    assert param_text(text) == text


@given(st.lists(st.text(st.characters(codec=None), max_size=4), unique=True))
def test_what_a_store_refuses_is_replaced_and_no_two_values_become_one(texts: list[str]) -> None:
    texts = [*texts, *(param_text(text) for text in texts if param_text(text) != text)]
    kept = [param_text(text) for text in texts]
    assert len(set(kept)) == len(set(texts))
    for text in kept:
        assert "\0" not in text
        text.encode()


def test_a_name_fits_every_store() -> None:
    assert one_name("trial 4 · lr 0.001") == "trial 4 · lr 0.001"
    assert len(one_name("x" * 300)) == 250
    assert "\0" not in one_name("a\0b") and "\ud800" not in one_name("a\ud800")


def test_what_older_servers_refuse_is_kept_in_full_elsewhere() -> None:
    assert not is_long("x" * 500) and is_long("x" * 501) and is_long("a\0b") and not is_long(0.1)
