"""Whatever is given as a spec: it is one that works from its reading to its first trial, or clear lines say why not."""

from __future__ import annotations

import copy
import json
import math
import os
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.simulation import SPACE
from tuner.base.errors import SpecError, UsageError
from tuner.inspection.preview import preview
from tuner.policy import Policy
from tuner.spec import SweepSpec, dump_yaml, load_spec, spec_from_mapping
from tuner.spec.models import json_schema
from tuner.spec.reading import MAX_DEPTH, MAX_PROBLEMS, MAX_SPEC_BYTES, MAX_VALUES
from tuner.spec.space import completed
from tuner.sweep import events as ev

VALID: dict[str, Any] = {
    "name": "valid",
    "trainable": "digits",
    "objective": {"metric": "val_accuracy", "mode": "max"},
    "num_trials": 30,
    "epochs": {"min": 1, "max": 27},
    "space": {
        **SPACE,
        "units": {"low": 16, "high": 128, "step": 16},
        "dropout": {"low": 0.0, "high": 0.5, "step": 0.1},
        "weight_decay": {"low": 1e-6, "high": 1e-2, "scale": "log", "num": 5},
        "momentum": {"value": 0.9, "when": {"units": [16, 32]}},
        "optimizer": "sgd",
    },
    "search": {"algorithm": "random", "seed": 3},
    "early_stopping": {"reduction_factor": 3},
    "budget": {"wall_time": "2h", "epochs": 500, "cost": 3.5, "plateau": 20},
    "failures": {"trial_timeout": "10m", "worker_memory": "2GiB"},
    "tracking": {"uri": "http://127.0.0.1:5000", "experiment": "valid"},
    "storage": "s3://bucket/sweeps",
}
HUGE_HEX = "0x" + "f" * 10_000
SCALARS: list[Any] = [
    None, True, False, 0, 1, -1, 2**31, 2**53 + 1, 2**63 - 1, 2**63, 10**30, -(10**30), 10**400, 0.0, -0.0, 0.1,
    5e-324, 1e-300, 1e16, 1e300, 1.7976931348623157e308, -1.7976931348623157e308, math.inf, -math.inf, math.nan, "",
    " ", "a", "learning_rate", "sgd", "constant", "grid", "tpe", "log", "null", "~", "on", "=", "<<", "1e5", "0x10",
    "1_000", "2024-01-02", "1:30", "- a", "a: b", "#", "!!int 3", "&a", "*a", "'", '"', "\0", "\n", "\t", "\x85",
    "\u2028", "\ud800", "\ufeff", "é", "😀", "x" * 5000, "9" * 5000, "9" * 400 + "h", "1e400", "s3://bucket", "gs://",
    "sqlite:///x", "../../x", "/", "./a.py:B", "~/x", "a\0b",
]  # fmt: skip
scalars = st.sampled_from(SCALARS) | st.floats() | st.integers() | st.text(max_size=20)
KEYS = [
    "name", "space", "epochs", "max", "min", "low", "high", "step", "num", "scale", "choices", "value", "when", "units",
    "uri", "budget", "plateau", "trials", "search", "algorithm", "storage", "tracking", "learning_rate", "schedule",
    "x", "a.b", "float", "int", "constant", "function-before[x]", "[key]", "__class__", "", "\n",
]  # fmt: skip
keys = st.sampled_from(KEYS) | st.text(max_size=8)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(keys, inner, max_size=5), max_leaves=12
)
parameters = st.one_of(
    st.fixed_dictionaries(
        {"low": scalars, "high": scalars},
        optional={"step": scalars, "num": scalars, "scale": st.sampled_from(["log", "linear", "x"]), "when": values},
    ),
    st.fixed_dictionaries({"choices": st.lists(scalars, max_size=6)}, optional={"when": values}),
    st.fixed_dictionaries({"value": scalars}, optional={"when": values}),
    values,
)
anything = settings(max_examples=60, suppress_health_check=list(HealthCheck))


SCHEMA = jsonschema.Draft202012Validator(json_schema())


def outcome(make: Callable[[], SweepSpec], within_s: float = 2.0) -> SweepSpec | None:
    """The spec, or None if it was refused in clear lines; all in little time."""
    began = time.process_time()
    try:
        spec = make()
    except UsageError as error:
        lines = str(error).splitlines()
        assert 0 < len(lines) <= MAX_PROBLEMS + 1, "too many lines, or none"
        assert all(0 < len(line) <= 1500 and line.isprintable() for line in lines), "a line that cannot be read"
        assert not isinstance(error, SpecError) or len(lines) == len(error.problems)
        return None
    finally:
        assert time.process_time() - began < within_s
    return spec


def check_it_works(folder: Path, spec: SweepSpec) -> None:
    """A valid spec goes the whole way: resolved, written, journalled, shown, and asked for a first trial."""
    began = time.process_time()
    resolved = spec.resolved()
    SCHEMA.validate(resolved)
    assert SweepSpec(**resolved) == spec == spec_from_mapping(json.loads(json.dumps(resolved, allow_nan=False)))
    path = folder / "resolved.yaml"
    path.write_text(dump_yaml(resolved), encoding="utf-8")
    assert load_spec(path).resolved() == resolved
    started = ev.decode(ev.encode(ev.SweepStarted(spec=resolved, versions={}, seed=0)))
    assert isinstance(started, ev.SweepStarted) and spec_from_mapping(started.spec) == spec
    suggestion = Policy(spec.search_settings).ask()
    assert suggestion is not None
    params = {name: value for name, value in suggestion.params.items() if name in spec.space}
    assert completed(spec.space, params) is not None
    for unit in (0.0, 0.3, 1.0):
        for _, parameter in spec.space.items():
            value = parameter.from_unit(unit)
            assert parameter.contains(value) and 0.0 <= parameter.to_unit(value) <= 1.0
            assert len(list(islice(parameter.values(), 100))) >= min(parameter.size or 0, 100)  # type: ignore[arg-type]
    assert preview(spec, 1200).num_trials >= 1
    assert time.process_time() - began < 4.0


def load(folder: Path, content: bytes | str, overrides: tuple[str, ...] = ()) -> SweepSpec | None:
    path = folder / "sweep.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
    spec = outcome(lambda: load_spec(path, overrides))
    if spec is not None:
        check_it_works(folder, spec)
    return spec


@anything
@given(points=values | st.lists(st.dictionaries(st.sampled_from([*VALID["space"], "x"]), scalars | values), max_size=4))
def test_points_of_any_kind_work_or_are_refused(points: Any) -> None:
    spec = outcome(lambda: spec_from_mapping({**VALID, "search": {"points": points}}, is_new=True))
    if spec is not None:
        assert len(Policy(spec.search_settings)._draws._points) == len(spec.search.points)


def places(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every path in a tree of mappings and lists."""
    inner = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [path, *(place for key, value in inner for place in places(value, (*path, key)))]


@st.composite
def mutated(draw: st.DrawFn) -> dict[str, Any]:
    """A valid spec with a few things replaced, removed, renamed or added."""
    tree = copy.deepcopy(VALID)
    for _ in range(draw(st.integers(1, 3))):
        *parents, last = draw(st.sampled_from(places(tree)[1:] or [("space",)]))
        node: Any = tree
        for key in parents:
            node = node[key]
        what = draw(st.sampled_from(["replace", "replace", "remove", "rename", "add", "parameter"]))
        if what == "replace":
            node[last] = draw(values)
        elif what == "parameter" and isinstance(tree.get("space"), dict):
            tree["space"][draw(keys)] = draw(parameters)
        elif isinstance(node, dict):
            value = node.pop(last) if what in ("remove", "rename") else None
            if what != "remove":
                node[draw(keys)] = value if what == "rename" else draw(values)
    return tree


def test_the_valid_spec_works(tmp_path: Path) -> None:
    SCHEMA.validate(VALID)
    check_it_works(tmp_path, spec_from_mapping(VALID))
    assert load(tmp_path, dump_yaml(VALID)) == spec_from_mapping(VALID)


@anything
@given(mutated())
def test_a_mutated_spec_works_or_is_refused(tmp_path: Path, tree: dict[str, Any]) -> None:
    spec = outcome(lambda: spec_from_mapping(tree, folder=tmp_path))
    if spec is not None:
        check_it_works(tmp_path, spec)


@anything
@given(parameters)
def test_a_parameter_works_or_is_refused(tmp_path: Path, parameter: Any) -> None:
    spec = outcome(lambda: spec_from_mapping({**VALID, "space": {"x": parameter}}))
    if spec is not None:
        check_it_works(tmp_path, spec)


@anything
@given(values)
@example({"a": [{"b": None}]})
def test_a_random_document_is_refused(tmp_path: Path, value: Any) -> None:
    try:
        text = dump_yaml({"tree": value})
    except Exception:
        return  # nothing that YAML can write
    assert load(tmp_path, text) is None


@anything
@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_random_bytes_are_refused(tmp_path: Path, content: bytes) -> None:
    assert load(tmp_path, content) is None


SNIPPETS = [
    "&a ", "*a", "<<: *a\n", "<<: [*a, *a]", "!!python/object:os.system ", "!!binary ", "!!set ", "!!timestamp ",
    "!!int ", "!!bool ", "!!float ", "!!str ", "!!null ", "!!omap ", "!!pairs ", "!!map ", "!x ", "? ", "- ", ": ",
    "[", "]", "{", "}", ",", "'", '"', "|\n", ">\n", "#", "%YAML 1.1\n---\n", "---\n", "...\n", "\0", "\t", "\r",
    "\ufeff", "\x85", "\\ud800", '"\\ud800"', "2024-01-02", "2024-13-45", ".nan", ".inf", "1e400", HUGE_HEX,
    "9" * 5000, "name: b\n", "1: 2\n", "~: 1\n", "? [a]\n: b\n", "=", "0o9", "\u2028",
]  # fmt: skip
TEXT = dump_yaml(VALID)


@anything
@given(
    st.lists(st.tuples(st.integers(0, len(TEXT)), st.sampled_from(SNIPPETS), st.integers(0, 6)), min_size=1, max_size=4)
)
def test_a_torn_or_patched_text_works_or_is_refused(tmp_path: Path, patches: list[tuple[int, str, int]]) -> None:
    text = TEXT
    for place, snippet, removed in patches:
        text = text[:place] + snippet + text[place + removed :]
    load(tmp_path, text)


@anything
@given(
    st.lists(st.tuples(st.sampled_from([*SNIPPETS, *VALID]) | keys, scalars | st.sampled_from(SNIPPETS)), max_size=3)
)
def test_overrides_work_or_are_refused(tmp_path: Path, pairs: list[tuple[str, Any]]) -> None:
    load(tmp_path, TEXT, tuple(f"{path}={value}" for path, value in pairs))


@anything
@given(st.sampled_from(places(VALID)[1:]), st.sampled_from(SNIPPETS) | scalars.map(str))
def test_overrides_of_fields_work_or_are_refused(tmp_path: Path, place: tuple[Any, ...], text: str) -> None:
    load(tmp_path, TEXT, (f"{'.'.join(map(str, place))}={text}",))


BOMB = "a0: &a0 [x, y]\n" + "".join(f"a{i + 1}: &a{i + 1} [{', '.join([f'*a{i}'] * 9)}]\n" for i in range(9))
MERGES = "a0: &a0 {k: 1, l: 2}\n" + "".join(
    f"a{i + 1}: &a{i + 1} {{<<: [{', '.join([f'*a{i}'] * 5)}]}}\n" for i in range(12)
)
MANY = {f"p{number}": {"low": 1, "high": 2, "when": {"nothing": 1}} for number in range(199)}
DOCUMENTS: dict[str, tuple[str, str]] = {
    "billion laughs": (BOMB, f"it must hold at most {MAX_VALUES} keys and values"),
    "billion merges": (MERGES, f"it must hold at most {MAX_VALUES} keys and values"),
    "an alias of itself": ("name: &a [*a]", "an alias must not stand within what it repeats"),
    "aliases in a message": (BOMB.replace("range(9)", "") + "name: *a2\n", "it must hold at most"),
    "a small bomb in a message": (BOMB[: BOMB.index("a3")] + "name: *a2\n", "name: must be text, but got [["),
    "lists": ("[" * 30_000, f"it must not be nested more than {MAX_DEPTH} levels deep"),
    "mappings": ("{a: " * 10_000, f"it must not be nested more than {MAX_DEPTH} levels deep"),
    "dashes": ("- " * 30_000, f"it must not be nested more than {MAX_DEPTH} levels deep"),
    "questions": ("? " * 30_000, f"it must not be nested more than {MAX_DEPTH} levels deep"),
    "a long flow list": ("a: [" + "1," * 30_000 + "]", f"it must hold at most {MAX_VALUES} keys and values"),
    "pairs in a list": ("[" + "a: 1," * 12_000 + "]", f"it must hold at most {MAX_VALUES} keys and values"),
    "lists in a list": ("[" + "[1]," * 15_000 + "]", f"it must hold at most {MAX_VALUES} keys and values"),
    "many unknown keys": ("".join(f"key{n}: 1\n" for n in range(4900)), f"and {4900 + 5 - MAX_PROBLEMS} more problems"),
    "many parameters": (dump_yaml({**VALID, "space": {f"p{n}": 1 for n in range(4000)}}), "at most 200 parameters"),
    "many wrong conditions": (
        dump_yaml({**VALID, "space": MANY}),
        "p0.when.nothing: a condition must name a parameter",
    ),
    "a long key": ("? " + "x" * 60_000 + "\n: 1", "unknown key"),
    "a long name": ("name: " + "x" * 60_000, "name: must be letters, digits"),
    "a huge hexadecimal number": (f"num_trials: {HUGE_HEX}", "but got a whole number of 40000 bits"),
    "a huge decimal number": ("num_trials: " + "9" * 5000, "a number in it has thousands of digits"),
    "an infinite bound": (TEXT.replace("0.0001", "-1e400", 1), "space.learning_rate.low: must be a finite number"),
    "a bound that is not a number": (
        TEXT.replace("0.0001", ".nan", 1),
        "space.learning_rate.low: must be a finite number",
    ),
    "a duplicate key": ("name: a\nname: b\n", 'line 2, column 1: found duplicate key "name"'),
    "a date": ("name: 2024-01-02", "name: must be a number, text, true, false or null, but got the date 2024-01-02"),
    "a date that is none": ("name: 2024-13-45", "must be YAML, but month must be in 1..12"),
    "bytes": ("name: !!binary AAAA", "name: must be a number, text, true, false or null, but got b'"),
    "a set": ("space: !!set {a, b}", "space: must be a number, text, true, false or null, but got {"),
    "an object": ("a: !!python/object/apply:os.system [ls]", "could not determine a constructor for the tag"),
    "a tag that does not fit": ("a: !!bool x", "a value in it does not fit its tag"),
    "keys that are no text": ("1: 2\n[a]: 3\n", "a key must be text, but got 1"),
    "text in quotes without an end": ('a: "' + "\n" * 60_000, "found unexpected end of stream"),
    "NUL": ("a: \0", "special characters are not allowed"),
    "a lone surrogate": ('trainable: "\\ud800"', "trainable: must be printable text, but got '\\ud800'"),
    "two documents": ("a: 1\n---\nb: 1\n", "expected a single document"),
    "nothing": ("", "must hold a mapping such as `name: my-sweep`, but got null"),
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_hostile_documents_are_refused_at_once(name: str, tmp_path: Path) -> None:
    text, message = DOCUMENTS[name]
    assert len(text) <= MAX_SPEC_BYTES
    told: list[str] = []

    def read() -> SweepSpec:
        try:
            return load_spec(path)
        except UsageError as error:
            told.append(str(error))
            raise

    path = tmp_path / "sweep.yaml"
    path.write_text(text)
    assert outcome(read) is None
    assert message in told[0]


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({"low": -1e308, "high": 1e308}, "x.high: must be less than 1.8e308 above low"),
        ({"low": 0.0, "high": 1e300, "step": 1e-300}, "x.step: must divide high - low into at most 1e+12 steps"),
        ({"low": 1e300, "high": math.nextafter(1e300, math.inf), "scale": "log"}, "x.low: must be further below high"),
        ({"low": 0, "high": 2**63}, "x.high: must be less than 9223372036854775808"),
        ({"choices": [2**63]}, "x.choices[0]: a whole number must fit into 64 bits"),
        ({"choices": [1, 1.0]}, "x.choices[1]: must not stand in the list twice, but got 1.0"),
        ({"choices": ["\x00"]}, "x.choices[0]: text must be printable, and at most 500 characters, but got '\\x00'"),
        ({"choices": [[["a"] * 99] * 99]}, "x.choices[0]: a list must have at most 500 characters, but got [['a'"),
    ],
)
def test_values_that_no_sampler_can_draw_are_refused(space: Any, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        spec_from_mapping({**VALID, "space": {"x": space}})
    assert caught.value.problems[0].startswith(f"space.{message}") and len(caught.value.problems) == 1


@pytest.mark.parametrize(
    "space",
    [
        {"x": {"low": -(2**63), "high": 2**63 - 1}},
        {"x": {"low": 1, "high": 2**63 - 1, "scale": "log"}},
        {"x": {"low": 0, "high": 2**62, "step": 2**60}},
        {"x": {"low": 5e-324, "high": 1.7e308, "scale": "log"}},
        {"x": {"low": 0.0, "high": 1.7976931348623157e308}},
        {"x": {"low": 1e15, "high": 1e15 + 10, "step": 1.0}},
        {"x": {"low": 0.1234567890123456, "high": 1.1234567890123456, "step": 0.5}},
        {"x": {"low": 0.0, "high": 1.0, "step": 1e-12}},
        {"x": {"choices": list(range(4000))}},
        {f"p{number}": {"low": 0.0, "high": 1.0} for number in range(200)},
        {f"p{number}": {"choices": [1, 2, 3]} for number in range(200)},
    ],
)
@pytest.mark.parametrize("algorithm", ["tpe", "random", "grid"])
def test_extreme_spaces_work(tmp_path: Path, space: dict[str, Any], algorithm: str) -> None:
    tree = {**VALID, "space": space, "search": {"algorithm": algorithm}, "num_trials": 10**9, "epochs": {"max": 10**9}}
    spec = outcome(lambda: spec_from_mapping(tree))
    assert (spec is None) == (
        algorithm == "grid" and any("." in repr(p.get("high")) and "step" not in p for p in space.values())
    )
    if spec is not None:
        check_it_works(tmp_path, spec)


def test_what_is_no_file_is_refused_and_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "secret").write_text(TEXT)
    (tmp_path / "secret").chmod(0)
    (tmp_path / "loop").symlink_to("loop")
    with open(tmp_path / "large", "wb") as file:
        file.truncate(10 * 2**20)
    for name, message in {
        ".": "must be a file, but is a folder",
        "pipe": "must be a file, but is a pipe or a device",
        "/dev/zero": "must be a file, but is a pipe or a device",
        "none": "cannot be read: No such file or directory",
        "a\0b": "cannot be read: embedded null byte",
        "x" * 5000: "cannot be read: File name too long",
        "\udcff": "\\udcff: cannot be read: No such file",
        "loop": "cannot be read: Too many levels of symbolic links",
        "large": f"a spec must be smaller than {MAX_SPEC_BYTES // 1024} KiB",
    }.items():
        with pytest.raises(UsageError) as caught:
            load_spec(tmp_path / name)
        assert message in str(caught.value) and str(caught.value).isprintable() and len(str(caught.value)) < 500
    if os.geteuid() != 0:  # root may read everything
        assert outcome(lambda: load_spec(tmp_path / "secret")) is None


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "latin-1"])
def test_other_encodings_are_refused(tmp_path: Path, encoding: str) -> None:
    assert load(tmp_path, f"# é\n{TEXT}".encode(encoding)) is None


def test_a_byte_order_mark_is_no_harm(tmp_path: Path) -> None:
    assert load(tmp_path, TEXT.encode("utf-8-sig")) == spec_from_mapping(VALID)


def test_an_override_changes_one_of_two_that_share_an_anchor(tmp_path: Path) -> None:
    shared = TEXT.replace("space:\n", "space:\n  first: &a {low: 1, high: 9}\n  second: *a\n", 1)
    spec = load(tmp_path, shared, ("space.first.high=5",))
    assert spec is not None
    assert (spec.space["first"].high, spec.space["second"].high) == (5, 9)  # type: ignore[union-attr]
