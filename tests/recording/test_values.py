from hypothesis import given
from hypothesis import strategies as st

from tuner.events import Scalar
from tuner.recording.values import key_text, param_text, plain


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
        assert plain(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_no_digit_is_lost_and_no_exponent_is_used(value: float) -> None:
    assert float(plain(value)) == value
    assert "e" not in plain(value)


def test_what_is_too_long_ends_in_an_ellipsis() -> None:
    text = param_text("x" * 7000)
    assert len(text) == 6000
    assert text.endswith("x…")
    assert len(key_text("k" * 300)) == 250


def test_keys_keep_what_mlflow_allows_and_nothing_else() -> None:
    assert key_text("val/top-5 acc.x_1") == "val/top-5 acc.x_1"
    assert key_text("acc@5%") == "acc_5_"
    assert key_text("a//b") == "a__b"
    assert key_text("../a") == "___a"
    assert key_text("") == "_"
