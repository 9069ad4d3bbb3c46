"""Texts with their classes in tables and folders: which columns are what, and every mistake as one line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from trainables import Data, DataError
from trainables.finetune_text import FinetuneText
from trainables.texts import reading
from trainables.texts.sentences import sentences
from trainables.texts.words import limited, padded

TEXTS = [f"the {word} number {number}" for number in range(20) for word in ("good", "bad")]
LABELS = ["yes", "no"] * 20


def read(path: Path, **options: Any) -> Data:
    fields = FinetuneText.Params.model_fields
    return reading.read(str(path), {**{name: fields[name].default for name in reading.OPTIONS}, **options})


def table(tmp_path: Path, name: str = "reviews.csv", **columns: Any) -> Path:
    frame = pd.DataFrame(columns or {"text": TEXTS, "label": LABELS})
    if name.endswith("parquet"):
        frame.to_parquet(tmp_path / name)
    else:
        frame.to_csv(tmp_path / name, index=False, sep="\t" if name.endswith("tsv") else ",")
    return tmp_path / name


def test_columns_may_be_separated_otherwise(tmp_path: Path) -> None:
    path = tmp_path / "reviews.csv"
    path.write_text("text;label\n" + "".join(f"{text};{label}\n" for text, label in zip(TEXTS, LABELS, strict=True)))
    assert read(path).class_names == ("no", "yes")


@pytest.mark.parametrize("name", ["reviews.csv", "reviews.tsv", "reviews.csv.gz", "reviews.parquet"])
def test_a_table_by_usual_names_is_split_with_each_class_in_proportion(tmp_path: Path, name: str) -> None:
    data = read(table(tmp_path, name), test_share=0.1)
    assert data.class_names == ("no", "yes") and data.notes == ()
    assert data.description["examples"] == {"train": 28, "validation": 8, "test": 4}
    assert data.description["class_counts"]["validation"] == {"no": 4, "yes": 4}
    x, y = data.train
    assert all(("good" in text) == bool(label) for text, label in zip(x, y, strict=True))


def test_other_columns_are_told_by_what_they_hold(tmp_path: Path) -> None:
    data = read(table(tmp_path, id=range(40), what_they_wrote=TEXTS, stars=[1, 0] * 20), label_column="stars")
    assert data.train[0][0].startswith("the") and data.class_names == ("0", "1")
    assert data.notes == (f"{tmp_path}/reviews.csv: the texts are those of column what_they_wrote (text_column)",)
    data = read(table(tmp_path, verdict=LABELS, what_they_wrote=TEXTS))
    assert data.class_names == ("no", "yes") and "those of column verdict" in data.notes[0]
    data = read(table(tmp_path, Text=LABELS, Review=TEXTS, Label=LABELS), text_column="Review")
    assert data.description["text_column"] == "Review"


def test_a_folder_of_tables_has_the_parts_that_they_are_named_by(tmp_path: Path) -> None:
    for name, rows in (("train", slice(0, 30)), ("val", slice(30, 36)), ("test", slice(36, 40))):
        table(tmp_path, f"{name}.csv", text=TEXTS[rows], label=LABELS[rows])
    assert read(tmp_path).description["examples"] == {"train": 30, "validation": 6, "test": 4}


def test_a_folder_of_classes(tmp_path: Path) -> None:
    for number, (text, label) in enumerate(zip(TEXTS, LABELS, strict=True)):
        (tmp_path / label).mkdir(exist_ok=True)
        (tmp_path / label / f"{number}.txt").write_text(text)
    data = read(tmp_path)
    assert data.class_names == ("no", "yes") and len(data.train[0]) == 32
    with pytest.raises(DataError, match="text_column has no effect on a folder of texts; leave it out"):
        read(tmp_path, text_column="text")


@pytest.mark.parametrize(
    ("columns", "options", "message"),
    [
        ({"text": TEXTS, "label": ["yes"] * 40}, {}, "must hold at least two classes or values, but holds only yes"),
        ({"text": TEXTS, "a": LABELS, "b": LABELS}, {}, "must have a column of classes named label, labels, class"),
        ({"a": range(40), "label": LABELS}, {}, "must have a column of texts, but a, label hold none; name it"),
        ({"text": TEXTS}, {}, "must have a column of texts and one of classes, but has text alone"),
        ({"text": TEXTS, "label": LABELS}, {"label_column": "lable"}, "there is no lable; did you mean label?"),
        ({"text": [*TEXTS[:-1], None], "label": LABELS}, {}, "must hold a text in each row, but got nothing in row 40"),
        ({"text": TEXTS, "label": [*LABELS[:-1], None]}, {}, "row 40 has none (NaN)"),
        (
            {"text": TEXTS, "label": LABELS},
            {"text_column": "label", "label_column": "label"},
            "must be two columns, but both are label",
        ),
        (
            {"text": TEXTS, "label": [*LABELS[:-1], "maybe"]},
            {},
            "of class maybe, one for each part, but holds 1; add some,",
        ),
        ({"text": [], "label": []}, {}, "must hold at least one row, but has a header alone"),
    ],
)
def test_a_mistake_is_one_line(tmp_path: Path, columns: dict[str, Any], options: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=re.escape(message)) as caught:
        read(table(tmp_path, **columns), **options)
    assert "\n" not in str(caught.value) and "stratify" not in str(caught.value)


def test_what_is_no_data(tmp_path: Path) -> None:
    (tmp_path / "reviews.csv").touch()
    with pytest.raises(DataError, match=r"there is no such file or folder; did you mean reviews.csv\?"):
        read(tmp_path / "review.csv")
    (tmp_path / "book.pdf").write_text("x")
    with pytest.raises(DataError, match=r"must be a folder of .txt files by class, or a CSV"):
        read(tmp_path / "book.pdf")
    with pytest.raises(DataError, match="finetune-text must be given data, sentences, a folder"):
        FinetuneText()


def test_the_made_sentences_are_the_same_each_time_and_differ_from_each_other() -> None:
    parts = [part for made in (sentences(), sentences()) for part in (made.train, made.validation, made.test)]
    for one, same in zip(parts[:3], parts[3:], strict=True):
        assert (one[0] == same[0]).all() and (one[1] == same[1]).all()
    texts = np.concatenate([x for x, _ in parts[:3]])
    assert len(set(texts)) == len(texts) == 1200
    assert {*np.concatenate([y for _, y in parts[:3]]).tolist()} == {0, 1}


def test_a_smaller_vocabulary_and_a_shorter_text_are_made_of_the_numbers() -> None:
    numbers = np.array([[2, 9, 3, 0], [5, 2, 0, 0]], np.int32)
    assert limited(numbers, 10, 4) is numbers and padded(numbers, None) is numbers
    assert limited(numbers, 5, 3).tolist() == [[2, 1, 3], [1, 2, 0]]
    assert padded(numbers, 5).tolist() == [[2, 9, 3, 0, 0], [5, 2, 0, 0, 0]]
