"""`tuner.probe`: measures a trainable before its first sweep."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from trainables.given import giving
from tuner.api.classes import named
from tuner.api.hypermodels import is_model
from tuner.api.looking import Place, place_text
from tuner.api.writing import Asked, asked
from tuner.base.errors import SpecError, UsageError
from tuner.probe.probe import Probe
from tuner.spec import spec_from_mapping
from tuner.spec.reading import apply_override, parsed_yaml, printable
from tuner.storage import StorageRoot

SECONDS = 60.0
"""What a probe takes at most, unless it is told otherwise."""
CALLER = "tuner.probe"
"""What messages call a spec that a program gives."""
FIRST = "tuner.probe's first spec"
"""What messages call a spec that was made for a class."""
_SAID_BY_DATA = "space.batch_size: has no effect"
FIGURES = (".png", ".svg", ".pdf")


def probe(
    spec: Any = None,
    /,
    *,
    batch_size: int | Sequence[int] = (),
    optimizer: str | Sequence[str] = (),
    data: Any = None,
    noise_scale: bool = False,
    seconds: float = SECONDS,
    output: Place | None = None,
    figure: Place | None = None,
    storage: Place | None = None,
    set: Sequence[str] = (),
    progress: bool = True,
    **keywords: Any,
) -> Probe:
    """Measures learning rates, batch sizes and epochs of a trainable, and suggests a sweep.

    The result is kept in the storage root, so that a sweep with `search.warm_start: [probe]` begins with its points.

    Args:
        spec: a YAML file, the name of a shipped trainable, ./file.py or ./file.py:Class, a subclass of
            `trainables.Trainable`, a KerasTuner model, a mapping or a `SweepSpec`.
        batch_size: those of the range tests; by default the smallest and the largest of the spec.
        optimizer: those of the range tests; by default the spec's.
        data: as the spec's `data`.
        noise_scale: whether the gradient noise scale is measured.
        seconds: what it may take; less is measured where that is short.
        output: a new file for the suggested spec.
        figure: a file for a figure, .png, .svg or .pdf.
        storage: the storage root that keeps the probe. Default: the spec's, else $TUNER_STORAGE or ./sweeps.
        set: overrides of the spec's fields, such as "epochs.max=9".
        progress: whether a line on standard error says what is measured now.
        **keywords: fields of the spec, as for `run`.

    Raises:
        SpecError: the spec is wrong, or does not fit the trainable.
        UsageError: what is wanted cannot be measured, or a file is there already.
        StorageError: the storage root cannot be written.
    """
    from tuner.spec.writing import new_file

    check_figure(figure)
    if output is not None:
        new_file(os.fspath(output))
    say = (lambda text: print(f"probe: {text}", file=sys.stderr, flush=True)) if progress else (lambda text: None)
    wanted = wanted_spec(spec, set, {**keywords, "data": data, "storage": place_text(storage)})
    sizes = (batch_size,) if isinstance(batch_size, int) else tuple(batch_size)
    names = (optimizer,) if isinstance(optimizer, str) else tuple(optimizer)
    found = measured(wanted, sizes, names, noise_scale, seconds, say)
    if figure is not None:
        draw(found, figure)
    if output is not None:
        found.write(output)
    return found


def measured(
    wanted: Asked,
    batch_sizes: Sequence[int],
    optimizers: Sequence[str],
    noise_scale: bool,
    seconds: float,
    say: Callable[[str], None],
) -> Probe:
    """The probe of a spec, kept in its storage root."""
    from tuner.probe.journal import prepare, record
    from tuner.probe.probing import Wanted
    from tuner.probe.probing import probe as measure
    from tuner.processes import own_server, owned

    root = StorageRoot.resolve(None, wanted.spec.storage)
    prepare(root)
    given = wanted.given
    options = Wanted(tuple(batch_sizes), tuple(optimizers), noise_scale, seconds)
    is_ours = own_server() is None  # a server that was there before is its owner's to end
    with giving(given), owned(None) if is_ours else _nothing():
        try:
            result = measure(wanted.spec, wanted.source, options, say)
        except SpecError as error:
            if not (wanted.source == FIRST and all(line.startswith(_SAID_BY_DATA) for line in error.problems)):
                raise
            space = {name: one for name, one in wanted.spec.space.model_dump().items() if name != "batch_size"}
            changed = spec_from_mapping({**wanted.spec.resolved(), "space": space})
            wanted = replace(wanted, spec=changed)
            result = measure(wanted.spec, wanted.source, options, say)
    found = Probe(result, wanted.spec, None if given is None else given.trainable)
    record(root, found.suggestions)
    return found


def wanted_spec(target: Any, overrides: Sequence[str], keywords: Mapping[str, Any]) -> Asked:
    """The spec that is probed: as for `tuner.run`, or a first one for a class or a file of Python."""
    keywords = {name: value for name, value in keywords.items() if value is not None}
    target = os.fspath(target) if isinstance(target, os.PathLike) else target
    if target is None and (trainable := keywords.pop("trainable", None)) is not None:
        target = trainable if "space" not in keywords else None
        keywords |= {} if target is not None else {"trainable": trainable}
    if isinstance(target, str) and (target.endswith(".py") or ".py:" in target):
        written = _of_file(target, keywords.get("data"))
        for override in overrides:
            apply_override(written, override)
        return asked(written, keywords, FIRST)
    if isinstance(target, type) or is_model(target):
        written = _of_class(target)
        for override in overrides:
            apply_override(written, override)
        return asked(written, {**keywords, "trainable": target}, FIRST)
    if isinstance(target, str) and overrides:
        from tuner.api.places import spec_path
        from tuner.inspection import load_checked

        path = spec_path(target)
        return replace(asked(load_checked(path, overrides), keywords, CALLER), source=printable(str(path)))
    if overrides:
        raise UsageError("set: is for files and names; give the fields of a mapping themselves")
    return asked(target, keywords, CALLER)


def _of_file(target: str, data: Any) -> dict[str, Any]:
    """The first spec of a class, or a KerasTuner model, in a file."""
    from tuner.inspection.initial import found_in, initial_spec

    with _no_cards(), _without_chatter():
        path, name, kind = found_in(target)
        text = initial_spec(target, path.resolve(), name, kind, None if data is None else str(data))
    return parsed_yaml(text, target)


def _of_class(target: Any) -> dict[str, Any]:
    """The first spec of a class that a program passes; the space of a KerasTuner model is found by building it."""
    from tuner.inspection.initial import class_objective, class_space

    text, given = named(target)
    name = (given.trainable if given is not None else target).__name__.lower()
    base: dict[str, Any] = {"name": name, "trainable": text, "num_trials": 20, "epochs": {"min": 1, "max": 10}}
    if is_model(target):
        return {**base, "objective": {"metric": "val_loss", "mode": "min"}}
    metric, mode = class_objective(target)
    return {**base, "objective": {"metric": metric, "mode": mode}, "space": class_space(target)}


def check_figure(figure: Place | None) -> None:
    """Refuses a figure's file of an unknown kind before anything is measured.

    Raises:
        UsageError: it is one, or its folder does not exist.
    """
    if figure is None:
        return
    path = Path(figure)
    if path.suffix.lower() not in FIGURES:
        raise UsageError(f"--figure: must end in {', '.join(FIGURES)}, but got {path.name}")
    if not path.absolute().parent.is_dir():
        raise UsageError(f"--figure: its folder must exist, but there is no {path.absolute().parent}")


def draw(found: Probe, figure: Place) -> None:
    """Writes a probe's figure.

    Raises:
        UsageError: the file cannot be written.
    """
    from tuner.report.probe_figure import write_probe_figure

    try:
        write_probe_figure(found.result, Path(figure))
    except OSError as error:
        raise UsageError(f"{os.fspath(figure)}: cannot be written: {error.strerror or error}") from None


@contextmanager
def _no_cards() -> Iterator[None]:
    """Nothing is trained here, so that no card is taken."""
    before = {name: os.environ.get(name) for name in ("CUDA_VISIBLE_DEVICES", "TF_CPP_MIN_LOG_LEVEL")}
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _without_chatter() -> Iterator[None]:
    """TensorFlow's import writes to standard error whatever it is told; what the user's code raises is told anyway."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


@contextmanager
def _nothing() -> Iterator[None]:
    yield
