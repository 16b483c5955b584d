"""Reads any data set: label files, and generated data sets by name."""

import os
from collections.abc import Collection, Sequence

from onebox import formats, synthetic
from onebox.errors import SettingError
from onebox.structures import Dataset

GENERATED = "synth:"


def read(
    path: str | os.PathLike[str],
    format: str | None = None,  # noqa: A002  (the word users know)
    *,
    on_multiple: str = "error",
    on_bad: str = "error",
    classes: Sequence[str] = (),
    known_labels: Collection[str] = (),
) -> Dataset:
    """Read a data set.

    Args:
        path: A label file, a folder of them, a generated data set such as ``synth:blobs``, or the
            URI of shards in an object store, such as ``s3://bucket/shards``.
        format: A key of `onebox.formats.FORMATS`, such as ``csv``; None to find it by content.
        on_multiple: What to do with an image of several boxes: ``error``, keep the ``largest``,
            or ``skip`` the image.
        on_bad: What to do with a row that is wrong: ``error``, or ``skip`` it with a note.
        classes: The class names that labels may have; empty to allow any.
        known_labels: Labels that are never taken for typing errors, such as the classes of the
            model that the data is for.

    Returns:
        Samples with boxes in pixels of the upright images, each with a split.

    Raises:
        DataError: If rows or images are wrong; ``problems`` lists all of them, with file and line.
        SettingError: If the name is empty, or if there is no such format or policy.
    """
    name = os.fspath(path)
    if not name:
        raise SettingError("the data set has no name. Name a label file or a folder of them.")
    if name.startswith(GENERATED):
        return synthetic.dataset(name)
    return formats.read(
        path,
        format,
        on_multiple=on_multiple,
        on_bad=on_bad,
        classes=classes or None,
        known_labels=known_labels,
    )
