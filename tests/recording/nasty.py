"""Names that are hard for MLflow, for its databases, or for whoever maps them."""

from __future__ import annotations

from tuner.recording.names import metric_key

NASTY = [
    "top@5", "top#5", "top_5", "top 5", ".", "..", "...", "", " ", "_", "/", "//", "a//b", "a/b", "a_b", "./x", "x",
    "/x", "../x", "x/", "x/.", "a/../b", "a/..b", ".a", "a.", " a", "a ", "a", "a\n", "\na", "a\tb", "a\0b", "a\x7f",
    "é", "e\u0301", "e", "准确率", "准确率@5", "😀", "x²", "x2", "ß", "ss", "\u212a", "K", "Loss", "LOSS", "loss",
    "a:b", "a`b", "a'b", 'a"b', "a%b", "a\\b", "l" * 250, "l" * 251, "l" * 252, "L" * 250, "l" * 300 + "a",
    "l" * 300 + "b", "s" * 224 + "/" + "t" * 100, "best_" * 60, "@" * 300, "system/cpu", "System/cpu", "system",
    "system/", "best_val_accuracy", "Best_val_accuracy", "best_top@5", "best_epoch", "best_", "BEST_EPOCH",
    "bést_epoch", "epochs_trained", "training_s", "Training_S", "test_accuracy", "test_", "epoch", "learning_rate",
    "tuner.best.x", "mlflow.x",
    metric_key("top@5"), metric_key("."), metric_key("top@5").upper(), metric_key(metric_key("top@5")),
    "x0123456789ab", ".x0123456789ab", "a.x0123456789ab", "a.x0123456789ab\n", " .x0123456789ab",
]  # fmt: skip
"""Each but once. No lone surrogate is among them: as JSON has none, a journal has another text in their stead."""

assert len(set(NASTY)) == len(NASTY)
