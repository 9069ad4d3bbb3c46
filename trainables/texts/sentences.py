"""`sentences`: short reviews made of a grammar, so that a classifier of texts can be tried without any file."""

from __future__ import annotations

import numpy as np

from trainables.contract import Data

_EXAMPLES, _TRAIN, _VALIDATION = 1_200, 800, 200
_SEED = 0
_NEGATED_SHARE = 0.3
_SUBJECTS = (
    *("the food", "the soup", "the bread", "the coffee", "the service", "the waiter", "the music", "the room"),
    *("the view", "the bed", "the staff", "the breakfast", "the garden", "the price", "the wine", "the menu"),
)
_VERBS = ("was", "seemed", "turned out")
_DEGREES = ("", "really", "quite", "rather", "truly", "very")
_NEGATIONS = ("not", "never", "hardly", "anything but")
_POSITIVE = ("good", "great", "lovely", "fine", "excellent", "pleasant", "charming", "wonderful")
_NEGATIVE = ("bad", "awful", "poor", "dull", "terrible", "unpleasant", "dirty", "disappointing")
_OPENINGS = ("", "on monday", "last night", "as always", "to my surprise", "for once")


def sentences() -> Data:
    """800 training, 200 validation and 200 test sentences, all different; y is 1 where the last clause is positive.

    "last night the soup was awful but the staff was not bad" is positive: words alone do not tell it, their order does.
    """
    rng = np.random.default_rng(_SEED)
    found: dict[str, int] = {}
    while len(found) < _EXAMPLES:
        text, label = _sentence(rng)
        found.setdefault(text, label)
    x, y = np.array([*found], object), np.array([*found.values()], np.int32)
    first, second = _TRAIN, _TRAIN + _VALIDATION
    parts = [(x[rows], y[rows]) for rows in (slice(first), slice(first, second), slice(second, None))]
    names = ("negative", "positive")
    of_parts = zip(("train", "validation", "test"), parts, strict=True)
    counts = {part: dict(zip(names, np.bincount(y).tolist(), strict=True)) for part, (_, y) in of_parts}
    train, validation, test = parts
    described = {"source": "sentences", "class_counts": counts}
    return Data(train, validation, test, class_names=names, description=described)


def _sentence(rng: np.random.Generator) -> tuple[str, int]:
    """One clause; or two, joined by "and" where they agree, by "but" where the second one counts."""
    label, has_two, agrees = int(rng.integers(2)), bool(rng.integers(2)), bool(rng.integers(2))
    words = [_one(rng, _OPENINGS)]
    if has_two:
        words += [_clause(rng, label if agrees else 1 - label), "and" if agrees else "but"]
    return " ".join(filter(None, [*words, _clause(rng, label)])), label


def _clause(rng: np.random.Generator, label: int) -> str:
    is_negated = rng.random() < _NEGATED_SHARE
    adjective = _one(rng, _POSITIVE if label ^ int(is_negated) else _NEGATIVE)
    middle = _one(rng, _NEGATIONS if is_negated else _DEGREES)
    return " ".join(filter(None, (_one(rng, _SUBJECTS), _one(rng, _VERBS), middle, adjective)))


def _one(rng: np.random.Generator, texts: tuple[str, ...]) -> str:
    return texts[int(rng.integers(len(texts)))]
