"""WebDataset: tar files with an image and a JSON file of its labels for each key.

::

    shards/train-00000.tar  __onebox__  0001.jpg  0001.json  0002.jpg  0002.json  ...

The JSON file has the keys ``label``, ``box`` (``[x_min, y_min, x_max, y_max]`` in pixels of the
upright image), ``split``, ``keypoints``, ``width`` and ``height``, all of which may be missing or
null; ``objects`` may hold several with a label and a box each. A file ``.cls`` has a label alone.
``__onebox__``, which other readers skip, states the classes and keypoints of the data set.

References:
    https://github.com/webdataset/webdataset, "The WebDataset Format"
"""

import io
import json
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import groupby, islice
from pathlib import Path
from typing import Any

from onebox import images
from onebox.errors import DataError, OneboxError, shorten
from onebox.formats.rows import ParsedLabels, Problems, Row, boxless_note
from onebox.formats.shard_labels import (
    ShardFacts,
    box_of,
    facts_of,
    load_object,
    parse_facts,
    points_of,
    size_of_values,
    split_of,
    text_of,
)
from onebox.formats.shard_writing import Entry, ShardFile, write_shards
from onebox.formats.shards import Shard, parse_shards
from onebox.packed.image_in_tar import TarImage
from onebox.packed.tar_shards import SUFFIX, Member, members, members_with_text
from onebox.structures import Dataset

FACTS = "__onebox__"
_LABELS, _CLASS = ".json", ".cls"
_LOOKED_AT = 32  # members of a tar, to tell whether it has labels; not tuned

Texts = Mapping[str, bytes]
"""The label files of a key, by suffix."""


def is_labels(path: Path) -> bool:
    """Whether a tar has images and labels."""
    try:
        first = list(islice(members(str(path)), _LOOKED_AT))
    except OneboxError:
        return False
    has_labels = any(member.suffix in {_LABELS, _CLASS} for member in first)
    return has_labels and any(member.is_image for member in first)


def parse(path: Path | str) -> ParsedLabels:
    """Read a tar or a folder of tars, with a problem for each key that cannot be used.

    Raises:
        DataError: If there are none.
    """
    return parse_shards(path, SUFFIX, _parse_shard)


def write(dataset: Dataset, path: Path | str) -> None:
    """Write a data set as tars, with its images as they are.

    A path that ends in ``.tar`` is one file with all splits; any other is a folder to make, with
    tars named after their splits.
    """
    facts = facts_of(dataset).as_json().encode()

    @contextmanager
    def create(file: Path) -> Iterator[ShardFile]:
        with tarfile.open(file, "w") as tar:
            _add(tar, FACTS, facts)
            yield _TarFile(tar)

    write_shards(dataset, path, SUFFIX, create, clean=_as_key)


def _as_key(stem: str) -> str:
    """A key: what follows the first dot is no part of it, and members that begin so are facts."""
    key = stem.replace(".", "_")
    return (key.lstrip("_") or "image") if key.startswith("__") else key


@dataclass(frozen=True, slots=True)
class _TarFile:
    """A tar that is being written."""

    tar: tarfile.TarFile

    def add(self, entry: Entry) -> None:
        """Add an image and its labels, in the order of their names."""
        key, dot, suffix = entry.name.rpartition(".")
        labels = json.dumps(_labels(entry), ensure_ascii=False).encode()
        files = {f"{key}{dot}{suffix}": entry.content, f"{key}{_LABELS}": labels}
        for name in sorted(files):
            _add(self.tar, name, files[name])


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)  # of the year 1970 and nobody's, so that equal data is equal files
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content))


def _labels(entry: Entry) -> dict[str, Any]:
    sample, (width, height) = entry.sample, entry.size_wh
    has_box = sample.box is not None
    return {
        "label": sample.label if has_box else None,
        "box": sample.box,
        "split": sample.split,
        "keypoints": sample.keypoints,
        "width": width,
        "height": height,
    }


def _parse_shard(shard: Shard) -> ParsedLabels:
    problems = Problems()
    rows: list[Row] = []
    facts = ShardFacts()
    seen: set[str] = set()
    for key, members_of_key, texts in _keys(shard.name):
        origin = f"{shard.title}:{key}"
        with problems.at(origin):
            if key == FACTS:
                facts = parse_facts(texts[""])
            elif not _is_of_others(key, members_of_key):
                _check_new(key, seen)
                rows.extend(_rows(origin, _image(shard.name, members_of_key), texts, facts))
    return ParsedLabels(
        tuple(rows),
        classes=facts.classes,
        keypoints=facts.keypoints,
        notes=boxless_note(shard.title, rows),
        problems=tuple(problems.sentences),
    )


def _keys(shard: str) -> Iterator[tuple[str, list[Member], Texts]]:
    """Each key of a tar with its members and its label files, in the order of the tar."""
    found = members_with_text(shard, (_LABELS, _CLASS, ""))
    for key, group in groupby(found, key=lambda pair: pair[0].key):
        pairs = list(group)
        texts = {member.suffix: text for member, text in pairs if text is not None}
        yield key, [member for member, _ in pairs], texts


def _is_of_others(key: str, found: Sequence[Member]) -> bool:
    """Whether a key is neither ours nor that of an image: facts that another program wrote."""
    is_special = key.rpartition("/")[2].startswith("__")
    return is_special and not any(member.is_image for member in found)


def _check_new(key: str, seen: set[str]) -> None:
    if key in seen:
        raise DataError("is in the shard twice, with other keys between. Remove one, or rename it.")
    seen.add(key)


def _image(shard: str, found: Sequence[Member]) -> TarImage:
    """The image of a key.

    Raises:
        DataError: If there is none, or several.
    """
    suffixes = [member.suffix for member in found]
    if twice := [suffix for suffix in suffixes if suffixes.count(suffix) > 1]:
        raise DataError(f"has two files {twice[0]}. Remove one, or rename it.")
    plain = [member for member in found if member.suffix in images.SUFFIXES]
    chosen = plain or [member for member in found if member.is_image]
    if len(chosen) != 1:
        names = shorten(suffixes)
        raise DataError(
            f"has {len(chosen) or 'no'} images (its files are {names}); it needs one. Add or "
            "remove files."
        )
    return TarImage(shard, chosen[0].name, chosen[0].offset, chosen[0].size)


def _rows(origin: str, image: TarImage, texts: Texts, facts: ShardFacts) -> list[Row]:
    labels = load_object(texts[_LABELS]) if _LABELS in texts else {}
    if not texts:
        raise DataError("has no labels. Add a file .json or .cls, or remove the image.")
    size = size_of_values(labels.get("width"), labels.get("height"))
    row = Row(origin, image, split=split_of(labels.get("split")), stated_wh=size)
    if facts.has_upright_sizes and size is not None:
        row = _with_known_size(row, image, size)
    subjects = labels.get("objects") or [labels]
    if not isinstance(subjects, list) or not all(isinstance(one, dict) for one in subjects):
        raise DataError("objects is no list of JSON objects. Correct it.")
    return [_with_subject(row, one, _class_of(texts), facts) for one in subjects]


def _class_of(texts: Texts) -> str | None:
    try:
        return texts.get(_CLASS, b"").decode().strip() or None
    except UnicodeDecodeError as error:
        raise DataError(f"its file .cls is not UTF-8 text ({error.reason}). Correct it.") from error


def _with_known_size(row: Row, image: TarImage, size_wh: tuple[int, int]) -> Row:
    return replace(row, image=replace(image, upright_wh=size_wh))


def _with_subject(row: Row, labels: Mapping[str, Any], label: str | None, facts: ShardFacts) -> Row:
    return replace(
        row,
        label=text_of("label", labels.get("label")) or label,
        box=box_of(labels.get("box")),
        keypoints=points_of(labels.get("keypoints"), facts.keypoints),
    )
