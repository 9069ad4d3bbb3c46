"""A user's file: whatever is wrong with it is one line, never a traceback and never a trial that fails later."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.objectstore import S3Server
from tests.simulation import make_spec
from trainables.sources import Sources
from tuner.inspection import Inspected, Inspection
from tuner.inspection.examine import inspect

HEAD = """
import numpy as np
from trainables.contract import Data, Params, Trainable
"""
BODY = """
class Mine(Trainable):
    loss = "mse"
    def load_data(self):
        x = np.zeros((40, 3), "float32")
        return Data(train=(x, x), validation=(x, x))
    def build_model(self, params):
        raise RuntimeError("not built here")
"""
MUTE = """
class Mute(Exception):
    def __str__(self):
        raise RuntimeError("it has no words")
"""


def problems(tmp_path: Path, text: str, **changes: object) -> list[str]:
    path = tmp_path / "mine.py"
    path.write_text(text)
    changes = {"objective__metric": "val_loss", "space": {"learning_rate": 0.1, "batch_size": 8}, **changes}
    return inspect(make_spec(trainable=f"{path}:Mine", **changes)).problems


def test_a_sound_file_has_no_problems(tmp_path: Path) -> None:
    assert problems(tmp_path, HEAD + BODY) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import nothing_like_it\n", "must import without an error, but it raised ModuleNotFoundError"),
        ("x = (\n", "it raised SyntaxError: '(' was never closed (line 1 of mine.py)"),
        ("import sys\nsys.exit(3)\n", "it raised SystemExit: 3 (line 2 of mine.py)"),
        ("x = 1\n", "Mine"),
        (HEAD + BODY.replace('loss = "mse"', "pass"), 'must have a loss, such as loss = "mse"'),
        (HEAD + BODY.replace('loss = "mse"', 'loss = "mse"; metrics = "accuracy"'), "its metrics must be a list"),
        (
            HEAD + BODY.replace('loss = "mse"', 'loss = "mse"; metrics = None'),
            "its metrics must be a list, but got None",
        ),
        (HEAD + BODY.replace('loss = "mse"', 'loss = "mse"; metrics = 3'), "its metrics must be a list, but got 3"),
        (HEAD + BODY.replace("x = np", "raise Mute; np") + MUTE, "must work, but it raised Mute (line 8 of mine.py)"),
        (
            HEAD + BODY.replace("return Data(", "return dict("),
            "load_data must return a Data, but it returned a value of type dict",
        ),
        (HEAD + BODY.replace("x = np", "x = undefined; np"), "it raised NameError: name 'undefined' is not defined"),
        (
            HEAD + "from pydantic import BaseModel\n" + BODY + "    class Params(BaseModel):\n        units: int = 1\n",
            "its Params must be derived from trainables.contract.Params",
        ),
    ],
)
def test_what_is_wrong_with_a_file_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    [problem] = problems(tmp_path, text)
    assert problem.startswith("trainable: ") and message in problem and "\n" not in problem


@pytest.mark.slow
@pytest.mark.parametrize(
    ("given", "found"),
    [
        ('loss = "huber"; metrics = ["acc", "mae", "MeanSquaredError", "AUC"]', []),
        (
            'loss = "squared_hing"; metrics = ["acuracy", "mae"]',
            [
                "trainable: its loss must be one of Keras's, but got 'squared_hing'; did you mean 'squared_hinge'?",
                "trainable: each of its metrics must be one of Keras's, but got 'acuracy'; did you mean 'accuracy'?",
            ],
        ),
    ],
)
def test_losses_and_metrics_are_names_of_keras_s(tmp_path: Path, given: str, found: list[str]) -> None:
    assert problems(tmp_path, HEAD + "import keras\n" + BODY.replace('loss = "mse"', given)) == found


OUTPUTS = """
    loss = {"a": "mse", "b": "mae"}
    metrics = {"a": ["mae"]}
    def build_model(self, params):
        inputs = keras.Input((3,))
        return keras.Model(inputs, {name: keras.layers.Dense(3, name=name)(inputs) for name in "ab"})
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "metric", "found"),
    [
        (OUTPUTS, "val_a_mae", []),
        (OUTPUTS, "val_b_loss", []),
        (
            OUTPUTS.replace("mae", "maee"),
            "val_loss",
            ["its loss must be one of Keras's", "each of its metrics must be"],
        ),
        (OUTPUTS, "val_a_maee", ["that the trainable reports, but got 'val_a_maee'; did you mean 'val_a_mae'?"]),
        (
            OUTPUTS.replace("inputs = ", "raise ValueError('no units')\n        "),
            "val_a_mae",
            [
                "reports, but got 'val_a_mae'",
                "its model must train, but it raised ValueError: no units (line ",
            ],
        ),
    ],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_metrics_of_several_outputs_are_asked_of_the_model(
    tmp_path: Path, text: str, metric: str, found: list[str]
) -> None:
    data = BODY.replace("(x, x)", "(x, {'a': x, 'b': x})").partition("    def build_model")[0]
    wrong = problems(tmp_path, HEAD + "import keras\n" + data + text, objective__metric=metric)
    assert len(wrong) == len(found) and all(part in line for part, line in zip(found, wrong, strict=True))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    ("text", "metric", "found"),
    [
        (HEAD + BODY, "val_loss", "building the model of Mine raised RuntimeError: not built here (line "),
        (
            OUTPUTS.replace('{"a": "mse", "b": "mae"}', '"mse"').replace('{"a": ["mae"]}', '["mae", "mae"]'),
            "val_mae",
            "'val_mae'",
        ),
        (OUTPUTS, "val_loss", ""),
    ],
)
def test_a_batch_is_trained_where_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, metric: str, found: str
) -> None:
    monkeypatch.delenv("TUNER_SKIP_PROBE")
    path = tmp_path / "mine.py"
    data = BODY.replace("(x, x)", "(x, {'a': x, 'b': x})").partition("    def build_model")[0]
    path.write_text(text if text.startswith(HEAD) else HEAD + "import keras\n" + data + text)
    spec = make_spec(trainable=f"{path}:Mine", objective__metric=metric, space={"learning_rate": {"choices": [0.1, 1]}})
    told = Inspection(spec, is_tried=True).result().problems
    assert len(told) == bool(found) and all(found in line for line in told), told


def test_what_fit_would_take_is_warned_of(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(HEAD + BODY.replace('loss = "mse"', 'loss = "mse"; loss_weights = [2.0]; class_weight = {0: 2.0}'))
    space = {"learning_rate": 0.1, "batch_size": 8}
    found = inspect(make_spec(trainable=f"{path}:Mine", objective__metric="val_loss", space=space))
    assert found.problems == []
    [warning] = found.warnings
    assert warning.startswith(
        "trainable: its loss_weights may have no effect: losses of several outputs are added as they are"
    )


BATCHED = "must be single examples, but the tf.data.Dataset is batched: leave .batch() out, or add .unbatch()"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("made", "found"),
    [
        ("examples.batch(8).map(lambda x, y: (x, y)).prefetch(2)", [f"trainable: its training data {BATCHED}"]),
        ("examples.padded_batch(8).take(3)", [f"trainable: its training data {BATCHED}"]),
        ("examples.batch(8).unbatch()", []),
        ("examples.map(lambda x, y: (tf.boolean_mask(x, x >= 0),) * 2).padded_batch(8).unbatch()", []),
        ("examples.batch(4, drop_remainder=True)", []),
        ("examples.batch(4).map(lambda x, y: (x[0], y[0]))", []),
    ],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_batches_for_examples_are_told(tmp_path: Path, made: str, found: list[str]) -> None:
    data = f"examples = tf.data.Dataset.from_tensor_slices((x, x)); return Data({made}, examples)"
    body = BODY.replace("return Data(train=(x, x), validation=(x, x))", data)
    assert problems(tmp_path, HEAD + "import tensorflow as tf\n" + body) == found


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({}, "trainable: its Params' optimizer must be 'sgd', 'adagrad', 'adadelta', 'rmsprop',"),
        (
            {"optimizer": {"choices": ["adam", "adamx"]}},
            "space.optimizer.choices[1]: must be 'sgd', 'adagrad', 'adadelta', 'rmsprop',",
        ),
        ({"optimizer": "sgd"}, None),
    ],
)
def test_params_of_all_cannot_take_other_values(tmp_path: Path, space: dict[str, object], message: str | None) -> None:
    text = HEAD + BODY + "    class Params(Params):\n        optimizer: str = 'ftrl'\n        learning_rate: int = 1\n"
    wrong = problems(tmp_path, text, space={"learning_rate": 1, "batch_size": 8, **space})
    assert [line[: len(message or "")] for line in wrong] == ([message] if message else [])


PAIR = "Data(train=(x, x), validation=(x, x))"


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (
            "Data('abc', (x, x))",
            "training data must be x, a tuple (x, y) or (x, y, sample_weight), or a tf.data.Dataset, b",
        ),
        ("Data((x, x), None)", "validation data must be x, a tuple (x, y) or (x, y, sample_weight), or a tf."),
        ("Data((x, x), (x, x), [x, x])", "test data must be x, a tuple (x, y) or (x, y, sample_weight), or a tf."),
        ("Data((x, x[:30]), (x, x))", "training data must have arrays of one length, but got 40 of x and 30 of y"),
        ("Data(({'a': x, 'b': x[1:]}, x), (x, x))", "training data must have arrays of one length, but got 40 of x.a"),
        ("Data((x, x), (x[:0], x[:0]))", "validation data must hold at least one example, but got none"),
        (
            "Data(({}, x), (x, x))",
            "training data must have an array with an axis of examples as x, but got a value of type",
        ),
        ("Data(([1, 2], x), (x, x))", "training data must have an array with an axis of examples as x.0, but got a v"),
        ("Data((x, x, None), (x, x))", "an array with an axis of examples as sample_weight, but got nothing"),
        ("Data((x, x.astype(str)), (x, x))", "training data must have numbers as y, but got text"),
        ("Data((x, x.astype(str).astype(object)), (x, x))", "training data must have numbers as y, but got text"),
        ("Data((x.astype(object), x), (x, x))", "training data must have numbers as x, but got the type object"),
        ("Data((x.astype('M8[s]'), x), (x, x))", "training data must have numbers as x, but got the type datetime64["),
    ],
)
def test_data_that_cannot_be_trained_on_are_one_line(tmp_path: Path, returned: str, message: str) -> None:
    [problem] = problems(tmp_path, HEAD + BODY.replace(PAIR, returned), space={"batch_size": 1})
    assert problem.startswith("trainable: its ") and message in problem


@pytest.mark.parametrize(
    "returned",
    [
        "Data(({'a': x, 'b': (x, x)}, x, x[:, 0]), (x, [x, x]))",
        "Data((x.astype(str).astype(object), x > 0), (x.astype('S9'), x.astype('complex64')))",
    ],
)
def test_structures_of_arrays_and_text_to_look_up_are_data(tmp_path: Path, returned: str) -> None:
    assert problems(tmp_path, HEAD + BODY.replace(PAIR, returned)) == []


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_data_sets_have_examples_and_an_end(tmp_path: Path) -> None:
    text = HEAD + "import tensorflow as tf\n" + BODY.replace("x = np", "d = tf.data.Dataset.range(40); x = np")
    assert problems(tmp_path, text.replace(PAIR, "Data(d, d.filter(lambda n: n > 3))")) == []
    assert problems(tmp_path, text.replace(PAIR, "Data(d.repeat(), d.take(0))")) == [
        "trainable: its training data must end, but the tf.data.Dataset is infinite: use .take(n)",
        "trainable: its validation data must hold at least one example, but got none",
    ]


def test_what_a_trial_selects_counts(tmp_path: Path) -> None:
    selects = "    def select_data(self, data, params):\n        return Data(*data.train[0])\n"
    text = HEAD + BODY.replace(PAIR, "Data([((x, x), (x, x))], None)") + selects
    assert problems(tmp_path, text) == []
    [problem] = problems(tmp_path, text.replace("Data(*data.train[0])", "None"))
    assert problem == "trainable: select_data must return a Data, but it returned nothing"


def test_a_required_parameter_must_be_in_the_space_in_every_trial(tmp_path: Path) -> None:
    text = HEAD + BODY + "    class Params(Params):\n        units: int\n"
    assert problems(tmp_path, text) == [
        "space.units: the trainable has no default for it, so it is required, but is missing"
    ]
    space = {"batch_size": {"choices": [8, 16]}, "units": {"value": 3, "when": {"batch_size": 8}}}
    [problem] = problems(tmp_path, text, space=space)
    assert problem.startswith("space.units.when: every trial needs a value of units")


def test_a_learning_rate_that_is_sometimes_absent_is_refused(tmp_path: Path) -> None:
    space = {"batch_size": {"choices": [8, 16]}, "learning_rate": {"value": 0.1, "when": {"batch_size": 8}}}
    [problem] = problems(tmp_path, HEAD + BODY, space=space)
    assert problem.startswith("space.learning_rate.when: every trial needs a value of learning_rate")


def in_child(tmp_path: Path, does: str) -> Inspected:
    path = tmp_path / "mine.py"
    path.write_text(HEAD + "import os, sys, threading, time\n" + BODY.replace("x = np", f"{does}; x = np"))
    space = {"learning_rate": 0.1, "batch_size": 8}
    return Inspection(make_spec(trainable=f"{path}:Mine", objective__metric="val_loss", space=space)).result()


@pytest.mark.parametrize(
    ("does", "how"),
    [
        ("os._exit(0)", "ended with exit code 0"),
        ("os._exit(7)", "ended with exit code 7"),
        ("os.kill(os.getpid(), 11)", "was killed by SIGSEGV"),
        ("os.write(2, b'one\\nno\\x1b such card\\n'); os.abort()", "was killed by SIGABRT: no\\x1b such card"),
        ("raise GeneratorExit('gone')", "ended with exit code 1: GeneratorExit: gone"),
    ],
)
def test_a_child_that_says_nothing_is_told_by_its_end(tmp_path: Path, does: str, how: str) -> None:
    [problem] = in_child(tmp_path, does).problems
    assert problem == f"trainable: must load in a process of its own, but that {how}"


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "does",
    [
        "threading.Thread(target=time.sleep, args=(3600,)).start()",
        "import subprocess; subprocess.Popen(['sleep', '90'])",
        "import atexit; atexit.register(os._exit, 5)",
    ],
)
def test_what_a_trainable_leaves_running_holds_up_nobody(tmp_path: Path, does: str) -> None:
    found = in_child(tmp_path, does)
    assert (found.problems, found.num_train) == ([], 40)


def test_data_of_a_class_that_only_the_child_knows_is_left_to_the_workers(tmp_path: Path) -> None:
    found = in_child(
        tmp_path, "global Own; Own = type('Own', (np.ndarray,), {}); np.zeros = lambda *a: np.ones(a[0]).view(Own)"
    )
    assert (found.problems, found.num_train, found.data) == ([], 40, None)


def test_the_child_process_hands_over_the_data_and_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(HEAD + BODY)
    before = set(Path("/dev/shm").glob("tuner-data-*"))
    spec = make_spec(
        trainable=f"{path}:Mine", objective__metric="val_loss", space={"learning_rate": 0.1, "batch_size": 8}
    )
    inspection = Inspection(spec)
    found = inspection.result()
    assert found.problems == [] and found.num_train == 40
    assert found.data is not None and found.data.train[0].shape == (40, 3)
    Inspection(spec).cancel()
    assert set(Path("/dev/shm").glob("tuner-data-*")) <= before


@pytest.mark.slow
def test_data_in_a_bucket_is_looked_at_before_anything_runs(
    s3_server: S3Server, s3_root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    np.savez(tmp_path / "faces.npz", x_train=np.zeros((50, 4), "float32"), y_train=np.arange(50) % 3)
    bucket, _, key = s3_root.removeprefix("s3://").partition("/")
    s3_server.client().upload_file(str(tmp_path / "faces.npz"), bucket, f"{key}/faces.npz")
    space = {"learning_rate": 0.1, "batch_size": 8}
    found = inspect(make_spec(trainable="mlp", data=f"{s3_root}/faces.npz", space=space))
    assert (found.problems, found.num_train) == ([], 45)
    [problem] = inspect(make_spec(trainable="mlp", data=f"{s3_root}/face.npz", space=space)).problems
    assert problem == f"data: {s3_root}/face.npz: cannot be read: there is no such object"


def test_what_is_known_of_data_and_of_files_that_were_imported_by_made_up_names(tmp_path: Path) -> None:
    (tmp_path / "made_up_name.py").write_text("SCALE = 3")
    (tmp_path / "mine.py").write_text(HEAD + "SCALE = __import__('made_up' + '_name').SCALE\n" + BODY)
    spec = make_spec(
        trainable=f"{tmp_path / 'mine.py'}:Mine",
        objective__metric="val_loss",
        space={"learning_rate": 0.1, "batch_size": 8},
        data="digits",
    )
    found = inspect(spec, Sources("mine.py", {"mine.py": (tmp_path / "mine.py").read_bytes()}))
    assert found.problems == [] and found.imported == ["made_up_name.py", "mine.py"]
    assert found.digests["source"] == {"kind": "built-in", "name": "digits"}
    assert found.digests["arrays"]["train.x"]["shape"] == [40, 3]


@pytest.mark.parametrize("is_edited", [False, True])
def test_the_child_process_looks_at_the_code_that_it_is_given(tmp_path: Path, is_edited: bool) -> None:
    kept = (HEAD + BODY).replace("(40, 3)", "(50, 3)").encode()
    (tmp_path / "mine.py").write_text("1 / 0" if is_edited else HEAD + BODY)
    spec = make_spec(
        trainable=f"{tmp_path / 'mine.py'}:Mine",
        objective__metric="val_loss",
        space={"learning_rate": 0.1, "batch_size": 8},
    )
    large = {f"m{number}.py": bytes(1 << 18) for number in range(4)}  # more than a pipe takes at once
    inspection = Inspection(spec, Sources("mine.py", {"mine.py": kept, **large}))
    found = inspection.result()
    assert found.problems == [] and found.num_train == 50 and found.digests["arrays"]["train.y"]["shape"] == [50, 3]
