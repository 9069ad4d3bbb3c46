"""The class methods of `Data` that read data as people have them. Imports nothing but Python until one is called."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trainables.contract import Data

IN_MEMORY_BYTES = 2**30
"""Decoded examples up to this size become arrays; more are streamed."""


class Readers:
    """What `Data` can be made from.

    The arguments that several methods take:

    - `validation`, `test`: a share of the examples such as 0.2, a number of examples, or data of their own, such as a
      second file. The search never sees the test data.
    - `stratify`: whether each part has each class in the same proportion. By default it has where labels are classes.
    - `seed`: of the split. The same seed and data give the same split on every machine.
    - `class_weights`: "balanced", or a dict from class name or number to weight. They become the sample weights of the
      training examples; validation and test stay unweighted.
    - `in_memory_bytes`: decoded examples that are larger are streamed from the machine's disk.

    Every method raises a DataError, one line with the file's name, for data that cannot be trained on.
    """

    @classmethod
    def from_arrays(
        cls,
        x: Any,
        y: Any = None,
        *,
        validation: Any = 0.2,
        test: Any = None,
        stratify: bool | None = None,
        seed: int = 0,
        sample_weight: Any = None,
        class_names: Sequence[str] | None = None,
        class_weights: Any = None,
    ) -> Data:
        """Arrays, lists or data frames whose first axis counts examples; x may be a dict or tuple of them.

        Labels of text become the classes 0, 1, … in alphabetical order; others stay as they are. `validation` and
        `test` may be tuples (x, y) of their own.
        """
        from trainables.reading import arrays
        from trainables.reading.planning import Wanted

        wanted = Wanted(validation, test, stratify, seed, class_weights)
        return arrays.read(x, y, sample_weight, wanted, class_names)

    @classmethod
    def from_frame(
        cls,
        frame: Any,
        target: str | int | Sequence[str] | None = None,
        *,
        features: Sequence[str] | None = None,
        categorical: Sequence[str] = (),
        classes: bool | None = None,
        validation: Any = 0.2,
        test: Any = None,
        stratify: bool | None = None,
        seed: int = 0,
        class_weights: Any = None,
    ) -> Data:
        """A pandas DataFrame: x is a float32 array of its columns, y its column `target`.

        Args:
            features: the columns of x; by default all but the target.
            categorical: columns of x that become one column of 0 and 1 for each value in the training rows.
            classes: whether the target holds classes. By default it does if it holds text, or the whole numbers from 0
                on; other numbers are values to predict.
            validation: a share, a number of rows, or a frame of its own.
        """
        from trainables.reading import tables
        from trainables.reading.planning import Wanted

        wanted = Wanted(validation, test, stratify, seed, class_weights)
        columns = tables.Columns(target, features, categorical, classes)
        return tables.read(frame, tables.FrameTable, columns, wanted, IN_MEMORY_BYTES)

    @classmethod
    def from_csv(
        cls,
        path: Any,
        target: str | Sequence[str] | None = None,
        *,
        features: Sequence[str] | None = None,
        categorical: Sequence[str] = (),
        classes: bool | None = None,
        validation: Any = 0.2,
        test: Any = None,
        stratify: bool | None = None,
        seed: int = 0,
        class_weights: Any = None,
        in_memory_bytes: int = IN_MEMORY_BYTES,
        separator: str = ",",
    ) -> Data:
        """A CSV file with a header, a pattern such as `data/*.csv`, or a list of files; here or in a bucket.

        As `from_frame`; `validation` and `test` may be files of their own.
        """
        from trainables.reading import tables
        from trainables.reading.planning import Wanted, checked_bytes

        wanted = Wanted(validation, test, stratify, seed, class_weights)
        columns = tables.Columns(target, features, categorical, classes)
        return tables.read(path, tables.csv_table(separator), columns, wanted, checked_bytes(in_memory_bytes))

    @classmethod
    def from_parquet(
        cls,
        path: Any,
        target: str | Sequence[str] | None = None,
        *,
        features: Sequence[str] | None = None,
        categorical: Sequence[str] = (),
        classes: bool | None = None,
        validation: Any = 0.2,
        test: Any = None,
        stratify: bool | None = None,
        seed: int = 0,
        class_weights: Any = None,
        in_memory_bytes: int = IN_MEMORY_BYTES,
    ) -> Data:
        """A Parquet file, a folder or pattern of them, or a list; here or in a bucket. As `from_csv`."""
        from trainables.reading import tables
        from trainables.reading.planning import Wanted, checked_bytes

        wanted = Wanted(validation, test, stratify, seed, class_weights)
        columns = tables.Columns(target, features, categorical, classes)
        return tables.read(path, tables.ParquetTable, columns, wanted, checked_bytes(in_memory_bytes))

    @classmethod
    def from_image_folder(
        cls,
        folder: Any,
        *,
        image_size: tuple[int, int] | None = None,
        color_mode: str = "rgb",
        interpolation: str = "bilinear",
        crop_to_aspect_ratio: bool = False,
        validation: Any = None,
        test: Any = None,
        stratify: bool | None = None,
        seed: int = 0,
        class_weights: Any = None,
        in_memory_bytes: int = IN_MEMORY_BYTES,
    ) -> Data:
        """A folder with a folder of images for each class, or with `train`, `validation`, `test` that have them.

        x holds float32 pixels from 0 to 255, of shape (height, width, channels), as
        `keras.utils.image_dataset_from_directory` gives them; y the class, counted in alphabetical order.

        Args:
            image_size: (height, width) to resize to; needed where the images differ.
            color_mode: "rgb", "rgba" or "grayscale".
            interpolation: of the resizing, as `tf.image.resize` takes it.
            crop_to_aspect_ratio: cut off what is too wide or too high instead of stretching.
            validation: 0.2 by default where the folder has no `validation`.
        """
        from trainables.reading import images
        from trainables.reading.planning import Wanted, checked_bytes

        wanted = Wanted(validation, test, stratify, seed, class_weights)
        form = images.Form(image_size, color_mode, interpolation, crop_to_aspect_ratio)
        return images.read(folder, form, wanted, checked_bytes(in_memory_bytes))

    @classmethod
    def from_text_folder(
        cls,
        folder: Any,
        *,
        sequence_length: int | None = None,
        max_tokens: int | None = None,
        validation: Any = None,
        test: Any = None,
        stratify: bool | None = None,
        seed: int = 0,
        class_weights: Any = None,
        in_memory_bytes: int = IN_MEMORY_BYTES,
    ) -> Data:
        """A folder with a folder of `.txt` files (UTF-8) for each class, or with `train`, `validation`, `test`.

        x holds the texts, for a model that looks words up itself. With `sequence_length` it holds the numbers of their
        words instead, as `keras.layers.TextVectorization` gives them; `Data.vocabulary` has the words.

        Args:
            sequence_length: words of an example; longer texts are cut, shorter ones padded with 0.
            max_tokens: size of the vocabulary, which is made of the training texts alone.
            validation: 0.2 by default where the folder has no `validation`.
        """
        from trainables.reading import texts
        from trainables.reading.planning import Wanted, checked_bytes

        wanted = Wanted(validation, test, stratify, seed, class_weights)
        return texts.read(folder, sequence_length, max_tokens, wanted, checked_bytes(in_memory_bytes))

    @classmethod
    def from_audio_folder(
        cls,
        folder: Any,
        *,
        sequence_length: int | None = None,
        validation: Any = None,
        test: Any = None,
        stratify: bool | None = None,
        seed: int = 0,
        class_weights: Any = None,
        in_memory_bytes: int = IN_MEMORY_BYTES,
    ) -> Data:
        """A folder with a folder of `.wav` files (PCM) for each class, or with `train`, `validation`, `test`.

        x holds float32 samples from -1 to 1, of shape (samples, channels). `Data.sampling_rate` is the files' one rate.

        Args:
            sequence_length: samples of an example; longer files are cut, shorter ones padded with 0. Needed where the
                files differ.
            validation: 0.2 by default where the folder has no `validation`.
        """
        from trainables.reading import audio
        from trainables.reading.planning import Wanted, checked_bytes

        wanted = Wanted(validation, test, stratify, seed, class_weights)
        return audio.read(folder, sequence_length, wanted, checked_bytes(in_memory_bytes))

    @classmethod
    def from_tfrecord(
        cls,
        path: Any,
        target: str | None = None,
        *,
        features: Mapping[str, Any] | None = None,
        decode: Callable[[dict[str, Any]], Any] | None = None,
        classes: bool | None = None,
        validation: Any = 0.2,
        test: Any = None,
        stratify: bool | None = None,
        seed: int = 0,
        class_weights: Any = None,
        in_memory_bytes: int = IN_MEMORY_BYTES,
    ) -> Data:
        """TFRecord files of `tf.train.Example`: one file, a pattern such as `data/*.tfrecord`, or a list.

        Args:
            target: the feature that is y.
            features: what `tf.io.parse_single_example` takes; by default what the first example has.
            decode: a function of the dict of features that returns x, an array or a dict of arrays; by default x is
                the one feature beside the target, or a dict of them.
            classes: as in `from_frame`.
            validation: a share, a number of examples, or files of its own.
        """
        from trainables.reading import records
        from trainables.reading.planning import Wanted, checked_bytes

        wanted = Wanted(validation, test, stratify, seed, class_weights)
        return records.read(
            path, records.Form(target, features, decode, classes), wanted, checked_bytes(in_memory_bytes)
        )
