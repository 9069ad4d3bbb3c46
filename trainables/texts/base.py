"""A model to begin with: a `.keras` file whose model takes texts, or numbers of words; low-rank adaptation of it."""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trainables import remote
from trainables.contract import ParamError
from trainables.framework_imports import import_tensorflow_quietly
from trainables.texts.encoder import mean_of_words
from trainables.texts.words import Words

_HEADS = ("softmax", "sigmoid")
_OPTIONS = ("standardize", "split", "ngrams")


@dataclass(frozen=True)
class Base:
    """A `.keras` file, and how its model is given texts."""

    name: str
    content: bytes = field(repr=False)
    words: Words = field(repr=False)
    length: int | None
    """For how many words of a text it is made; None for any number."""
    padded_to: int | None
    """How many it must be given; None for any number."""

    @classmethod
    def read(cls, name: str, vocabulary: str | None) -> Base:
        """The file of a path or a URL.

        Args:
            vocabulary: a file of the words, for a model that takes their numbers.

        Raises:
            ParamError: there is none, Keras cannot load it alone, or it does not take texts.
        """
        content = _content(name, "base")
        model = _loaded(content, name)
        known = None if vocabulary is None else _words_in(vocabulary)
        words, length = _words_and_length(model, name, known)
        return cls(name, content, words, length, features(model).input_shape[1])

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    def model(self) -> Any:
        """A new model from numbers of words to (B, W), with the file's weights."""
        model = features(_loaded(self.content, self.name))
        _draw_anew(model)
        return model


def _draw_anew(model: Any) -> None:
    """Dropout draws by the trial's seed, not by the state that the file was saved with."""
    import keras

    for layer in model._flatten_layers():
        for generator in getattr(layer, "_seed_generators", ()):
            generator.state.assign(keras.random.SeedGenerator().state)


def _content(name: str, option: str) -> bytes:
    path = remote.local_copy(name) if remote.is_url(name) else Path(os.path.expanduser(name))
    try:
        return path.read_bytes()
    except OSError as error:
        raise ParamError(option, f"{name} cannot be read: {error.strerror or error}") from None


def _words_in(name: str) -> Words:
    """The words of a file with one a line; padding and unknown words may stand before them."""
    try:
        lines = _content(name, "vocabulary").decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise ParamError("vocabulary", f"{name} must be text in UTF-8") from None
    words = tuple(lines[2:] if lines[:2] == ["", "[UNK]"] else lines)
    if not words or len(set(words)) < len(words) or "" in words:
        raise ParamError("vocabulary", f"{name} must hold a word a line, each once")
    return Words(words)


def _loaded(content: bytes, name: str) -> Any:
    import_tensorflow_quietly()
    import keras

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "base.keras"
        path.write_bytes(content)
        try:
            return keras.saving.load_model(path, compile=False, safe_mode=True)
        except Exception as error:  # of Keras and HDF5, which have many kinds
            why = " ".join(str(error).split())[:200] or type(error).__name__
            raise ParamError("base", f"{name} must be a .keras file that Keras can load alone, but: {why}") from error


def _words_and_length(model: Any, name: str, known: Words | None) -> tuple[Words, int | None]:
    if len(model.inputs) != 1:
        raise ParamError(
            "base", f"{name} must take one input, texts or numbers of words, but takes {len(model.inputs)}"
        )
    [given] = model.inputs
    if (layer := _vectorization(model)) is not None:
        if known is not None:
            raise ParamError("vocabulary", f"has no effect, as {name} has its own; leave it out")
        config = layer.get_config()
        if config["output_mode"] != "int":
            raise ParamError("base", f"{name} must take each word's number, but its words are {config['output_mode']}")
        options = {key: config[key] for key in _OPTIONS}
        return Words(tuple(map(str, layer.get_vocabulary()[2:])), options), config["output_sequence_length"]
    if given.dtype == "string" or len(given.shape) != 2:
        raise ParamError(
            "base",
            f"{name} must take texts by a TextVectorization layer, or numbers of words of shape (texts, words),"
            f" but takes {given.dtype} of shape {tuple(given.shape)}",
        )
    if known is None:
        raise ParamError(
            "base",
            f"{name} takes numbers of words, so its words must be known: name a file with a word a line, in the"
            " order of TextVectorization.get_vocabulary(), as vocabulary",
        )
    return known, given.shape[1]


def features(model: Any) -> Any:
    """The base without its TextVectorization and its head: from numbers of words to (B, W)."""
    import keras

    layer = _vectorization(model)
    if layer is not None:
        inner = [part for part in model.layers if isinstance(part, keras.Model)]
        is_plain = len(inner) == 1 and model.layers[-1] is inner[0] and len(model.layers) == 3
        model = inner[0] if is_plain else keras.Model(layer.output, model.outputs)
    model = without_lora(model)
    last = model.layers[-1]
    is_head = isinstance(last, keras.layers.Dense) and getattr(last.activation, "__name__", "") in _HEADS
    output = _before(last) if is_head else model.outputs[0]
    if len(output.shape) == 3:
        output = mean_of_words(output, model.inputs[0])
    return keras.Model(model.inputs, output)


def adapt(model: Any, rank: int) -> None:
    """Freezes a model but for matrices of this rank beside its kernels and embeddings (LoRA, Hu et al. 2021).

    Raises:
        ParamError: no layer has such.
    """
    adapted = 0
    for layer in model._flatten_layers(include_self=False):
        if hasattr(layer, "enable_lora") and layer.built and not layer.lora_enabled:
            layer.enable_lora(rank)
            adapted += 1
    if not adapted:
        raise ParamError(
            "lora_rank",
            "has no effect: no layer of the base can be adapted (Dense, EinsumDense, Embedding); leave it out",
        )
    for variable in model.variables:
        if "lora_" not in variable.name:
            variable.trainable = False


def lora_layers(model: Any) -> list[Any]:
    """The layers that are adapted."""
    return [layer for layer in model._flatten_layers() if getattr(layer, "lora_enabled", False)]


def without_lora(model: Any) -> Any:
    """The same function with the adapted matrices added to the kernels; the model itself where it has none."""
    if not lora_layers(model):
        return model
    plain = type(model).from_config(_without_rank(model.get_config()))
    with tempfile.TemporaryDirectory() as folder:  # Keras adds them up as it writes
        path = Path(folder) / "model.weights.h5"
        model.save_weights(path)
        plain.load_weights(path)
    return plain


def _before(head: Any) -> Any:
    """What a head makes its probabilities of, without the dropout there."""
    import keras

    layer = head
    while isinstance(found := layer.input._keras_history.operation, keras.layers.Dropout):
        layer = found
    return layer.input


def _vectorization(model: Any) -> Any:
    import keras

    found = [layer for layer in model.layers if isinstance(layer, keras.layers.TextVectorization)]
    return found[0] if len(found) == 1 else None


def _without_rank(config: Any) -> Any:
    if isinstance(config, dict):
        return {key: _without_rank(value) for key, value in config.items() if key not in ("lora_rank", "lora_alpha")}
    if isinstance(config, list | tuple):
        return type(config)(_without_rank(part) for part in config)
    return config
