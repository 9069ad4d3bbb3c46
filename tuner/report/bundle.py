"""Vega, Vega-Lite and Vega-Embed as one script, so that a page needs no network.

Joining them takes a second, so the script is kept in $XDG_CACHE_HOME/tuner under the version of what joins them.
"""

from __future__ import annotations

import contextlib
import functools
from importlib.metadata import version
from pathlib import Path

import vl_convert

from tuner.base.errors import TunerError
from tuner.base.user import user_cache
from tuner.storage import write_atomically


@functools.cache
def vega_script() -> str:
    """The script. It sets `vega`, `vegaLite` and `vegaEmbed`, may run twice, and may stand in a `<script>`."""
    with contextlib.suppress(OSError, RuntimeError, UnicodeDecodeError):  # RuntimeError: there is no home
        if text := _kept_at().read_text(encoding="utf-8"):
            return text
    joined = vl_convert.javascript_bundle(None)  # type: ignore[arg-type]  # without a snippet, it sets the three
    text = f"(() => {{{joined}}})();\n".replace("</script", "<\\/script")
    with contextlib.suppress(OSError, RuntimeError, TunerError):  # where it cannot be kept, it is made each time
        kept = _kept_at()
        kept.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_atomically(kept, text.encode())
    return text


def _kept_at() -> Path:
    return user_cache() / f"vega-{version('vl-convert-python')}.js"
