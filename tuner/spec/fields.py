"""The types of a spec's fields: text, counts, times and sizes."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from tuner.base.secrets import NO_CREDENTIALS, has_credentials
from tuner.spec.space import shown

MAX_COUNT = 10**9
"""The largest number of trials, epochs and the like; more would be a typing error."""


def _check_text(text: str) -> str:
    if not text.isprintable() or not text.strip():
        raise PydanticCustomError("rule", "must be printable text, but got {got}", {"got": shown(text)})
    if has_credentials(text):
        raise PydanticCustomError("rule", "{rule}, but got {got}", {"rule": NO_CREDENTIALS, "got": shown(text)})
    return text


Text = Annotated[str, Field(max_length=4000), AfterValidator(_check_text)]
Count = Annotated[int, Field(ge=1, le=MAX_COUNT)]


_LONGEST = 50
"""The most characters of a time or a size."""
_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_duration_s(written: Any) -> Any:
    """Seconds from `90`, `"90s"`, `"30m"`, `"1h30m"` or `"2d"`."""
    if not isinstance(written, str):
        return written
    parts = re.findall(r"(\d+(?:\.\d+)?)\s*([smhd])", written) if len(written) <= _LONGEST else []
    if not parts or re.sub(r"(\d+(?:\.\d+)?)\s*([smhd])", "", written).strip():
        raise PydanticCustomError(
            "rule", "must be seconds, or a time such as 90s, 30m, 2h or 1h30m, but got {got}", {"got": shown(written)}
        )
    return float(sum(float(number) * _UNITS_S[unit] for number, unit in parts))


Seconds = Annotated[float, BeforeValidator(parse_duration_s, json_schema_input_type=float | str)]


def _check_jit(written: Any) -> Any:
    if written in ("auto", None) or isinstance(written, bool):
        return written
    raise PydanticCustomError("rule", "must be auto, true or false, but got {got}", {"got": shown(written)})


JitCompile = Annotated[Literal["auto"] | bool, BeforeValidator(_check_jit)]


_UNITS_BYTES = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


def parse_size_bytes(written: Any) -> Any:
    """Bytes from `6442450944`, `"6GiB"`, `"6 GB"` or `"512M"`; all units are powers of 1024."""
    if not isinstance(written, str):
        return written
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?\s*", written) if len(written) <= _LONGEST else None
    if match is None:
        raise PydanticCustomError(
            "rule", "must be bytes, or a size such as 6GiB or 512MiB, but got {got}", {"got": shown(written)}
        )
    return float(match[1]) * _UNITS_BYTES[match[2]]


Bytes = Annotated[float, BeforeValidator(parse_size_bytes, json_schema_input_type=float | str)]
MIN_WORKER_BYTES = 2**20
