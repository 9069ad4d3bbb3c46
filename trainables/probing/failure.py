"""A failure while a trainable was tried: what it was doing, where in the user's files, and the way out if known."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

_DOING = {
    "load_data": "loading the data",
    "select_data": "selecting the data",
    "build_model": "building the model",
    "callbacks": "making the callbacks",
    "class_weight": "making the class weights",
    "fit_options": "making the options of fit",
    "compile": "compiling the model",
    "train_step": "training the first batch",
    "fit": "training the first batch",
    "test_step": "validating the first batch",
    "own_metrics": "running evaluate",
    "evaluate": "validating the first batch",
}
"""What is done in a function of this name, of the trainable or of Keras."""

_KNOWN: tuple[tuple[str, str], ...] = (
    (
        r"Cannot batch tensors with different shapes",
        "examples have different lengths: pad them to one length before they are batched",
    ),
    (
        r"Received a label value of -?\d+ which is outside the valid range",
        "classes count from 0: give the last layer as many units as there are classes",
    ),
    (
        r"logits and labels must have the same|Incompatible shapes|must have the same shape"
        r"|Shapes \(.*\) and \(.*\) are incompatible",
        "the model's output and y must fit: look at the last layer, the loss and the form of the labels",
    ),
    (
        r"is incompatible with the layer|expected shape=|Input .* is incompatible",
        "the model's input must have the shape of one example of x",
    ),
    (
        r"OutOfRange|ran out of data|INVALID_ARGUMENT: .*batch.*size|batch_shape|stateful",
        "a model with a fixed batch size needs a batch_size that divides the number of examples",
    ),
    (
        r"OOM when allocating|ResourceExhausted|Unable to allocate|MemoryError",
        "there is too little memory: use a smaller batch_size or a smaller model",
    ),
)
"""What an exception says, and the way out."""


class ProbeError(Exception):
    """The trainable's code, or Keras of what it was given, raised while it was tried.

    Attributes:
        doing: what was done, such as "training the first batch".
        cause: what was raised.
        params: the configuration, where it is not the first one.
    """

    def __init__(self, doing: str, cause: BaseException) -> None:
        super().__init__(f"{doing} raised {type(cause).__name__}")
        self.doing, self.cause = doing, cause
        self.params: Mapping[str, Any] = {}


def what_it_did(error: BaseException, otherwise: str) -> str:
    """What was being done, by the outermost function in the traceback whose name says so."""
    names = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
    return next((_DOING[name] for name in names if name in _DOING), otherwise)


def own_place(error: BaseException, is_own: Callable[[str], bool]) -> tuple[str, int] | None:
    """The innermost line of the user's own files that an exception came through: file and line.

    TensorFlow names the lines of a graph that it fails in only in its message.
    """
    if isinstance(error, SyntaxError) and error.filename and error.lineno and is_own(error.filename):
        return error.filename, error.lineno
    frames = [(frame.filename, frame.lineno or 0) for frame in traceback.extract_tb(error.__traceback__)]
    with suppress(Exception):  # its own `str` may raise
        frames += [(name, int(line)) for name, line in re.findall(r'File "([^"\n]+)", line (\d+)', str(error))]
    own = [(name, line) for name, line in frames if is_own(name)]
    return own[-1] if own else None


def way_out(error: BaseException, message: str) -> str:
    """What to do about it; empty where nothing is known."""
    if isinstance(error, FileNotFoundError) and error.filename and not Path(str(error.filename)).is_absolute():
        return f"a relative path is looked for in {Path.cwd()}"
    if isinstance(error, ModuleNotFoundError):
        return "install it where trials run, or put it beside the trainable's file"
    if isinstance(error, MemoryError):
        return _KNOWN[-1][1]
    said = f"{type(error).__name__}: {message}"
    return next((advice for pattern, advice in _KNOWN if re.search(pattern, said)), "")
