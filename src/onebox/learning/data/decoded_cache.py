"""A cache of decoded images: one memory-mapped array of equal squares, with targets in memory.

Training reads every image many times, and decoding one costs as much as training on it. So all
images are stretched to squares a little larger than training needs, so that crops keep their
detail, written to one file and mapped. The file is named by a digest of every image's bytes, every
label and every setting that its pixels depend on: any change makes a new file.

Workers that train together each decode the images that they own, into a file of their own. The
digest of all images is the sum of the digests of the parts, so that it is the same for any number
of workers.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import platformdirs
from jaxtyping import Bool, Float32, Int64, UInt8
from numpy import ndarray
from PIL import Image

from onebox import images
from onebox.disk import check_space
from onebox.errors import DataError, ImageError
from onebox.files import replacing
from onebox.image_digests import content_digest
from onebox.image_sizes import size_of
from onebox.learning.parallel.placement import ALONE, Placement
from onebox.mean_box import normalized_boxes
from onebox.progress import Progress
from onebox.structures import Dataset, Sample

NO_LABEL = -1
_VERSION = 3
_KEPT = 8  # latest files that stay on disk; a worker makes two (docs/decisions/0006-cache-key.md)
_CHUNK = 256  # samples that are read or decoded at a time
_DIGEST_BYTES = 16

Outcome = TypeVar("Outcome")


@dataclass(frozen=True, slots=True, eq=False)
class SelectedSquares:
    """Some rows of mapped squares, which are read when they are asked for."""

    squares: UInt8[ndarray, "n side side 3"]
    rows: Int64[ndarray, " selected"]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int | list[int]) -> UInt8[ndarray, "*picked side side 3"]:
        return self.squares[self.rows[index]]


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """Decoded images and their targets, one row per image.

    Attributes:
        pixels: Squares, mapped from disk.
        boxes: Normalized ``xyxy``; zeros for an image without a box.
        has_box: Whether the image has a subject with a box.
        labels: Index of the class; ``NO_LABEL`` for an image without a label.
        keypoints: Normalized ``(x, y)`` and visibility, which is 0 for an unlabelled keypoint.
        aspects: Width over height of the image before it became a square.
        flip_pairs: Pairs of keypoints that mirroring an image swaps.
        digest: Digest of the images' bytes, the labels and the settings.
    """

    pixels: UInt8[ndarray, "n side side 3"] | SelectedSquares
    boxes: Float32[ndarray, "n 4"]
    has_box: Bool[ndarray, " n"]
    labels: Int64[ndarray, " n"]
    keypoints: Float32[ndarray, "n keypoints 3"]
    aspects: Float32[ndarray, " n"]
    flip_pairs: tuple[tuple[int, int], ...]
    digest: str

    def __len__(self) -> int:
        return len(self.labels)

    def select(self, rows: Int64[ndarray, " selected"]) -> "Decoded":
        """Some of the images, by their rows, in that order; the squares stay on the disk.

        Raises:
            TypeError: If this is a selection already.
        """
        if not isinstance(self.pixels, ndarray):
            raise TypeError("a selection cannot be selected from; select from all rows.")
        return replace(
            self,
            pixels=SelectedSquares(self.pixels, rows),
            boxes=self.boxes[rows],
            has_box=self.has_box[rows],
            labels=self.labels[rows],
            keypoints=self.keypoints[rows],
            aspects=self.aspects[rows],
        )


def cache_folder() -> Path:
    """The folder of decoded data sets: ``ONEBOX_CACHE``, or the user's cache folder."""
    return Path(os.environ.get("ONEBOX_CACHE") or platformdirs.user_cache_dir("onebox"))


def decode(
    data: Dataset,
    side: int,
    *,
    progress: Progress | None = None,
    placement: Placement = ALONE,
) -> Decoded:
    """Decode a data set to squares of ``side`` pixels, or map the file of an earlier run.

    With a placement, the data set has the samples that this worker owns, and no others.

    Raises:
        DataError: If images cannot be decoded; the message names all of them.
    """
    digest, unread = _digest(data, side, placement)
    path = cache_folder() / f"{digest}.npy"
    if (pixels := _map(path)) is None:
        needed = len(data) * side * side * 3
        repair = "set ONEBOX_CACHE to a folder on another disk"
        check_space(path.parent, needed, what="the decoded images", repair=repair)
        _write(data.samples, unread, side, path, progress)
        pixels = _mapped(path)
    with suppress(FileNotFoundError):
        os.utime(path)
    _forget_oldest(path.parent, _KEPT * placement.workers)
    flip_pairs = () if data.keypoints is None else data.keypoints.flip_pairs
    return Decoded(pixels, *_targets(data), flip_pairs, digest)


def _map(path: Path) -> UInt8[ndarray, "n side side 3"] | None:
    # Another process may remove the file as one of the oldest; a mapped file stays readable.
    try:
        return _mapped(path)
    except (FileNotFoundError, NotADirectoryError):  # the latter is reported when it is written
        return None
    except (ValueError, EOFError):  # a power failure has cut it short: it is made anew
        return None


def _mapped(path: Path) -> UInt8[ndarray, "n side side 3"]:
    """The squares in a file.

    Raises:
        OSError: If it cannot be read or mapped; the error names the file.
    """
    try:
        return np.load(path, mmap_mode="r")
    except OSError as error:  # an error of mmap names no file
        error.filename = str(path)
        raise


def add_digests(digests: Iterable[str]) -> str:
    """The digest of all images, from those of the parts that the workers own.

    Examples:
        >>> add_digests(["00000000000000000000000000000001", "ffffffffffffffffffffffffffffffff"])
        '00000000000000000000000000000000'
    """
    return (
        f"{sum(int(each, 16) for each in digests) % 2 ** (8 * _DIGEST_BYTES):0{2 * _DIGEST_BYTES}x}"
    )


def _digest(data: Dataset, side: int, placement: Placement) -> tuple[str, dict[int, ImageError]]:
    """The digest of the data, and the rows whose images could not be read for it, with the reason.

    Decoding reports them, together with all other images that cannot be read.
    """
    header = json.dumps([_VERSION, side, data.classes]).encode()
    unread: dict[int, ImageError] = {}

    def row_digests() -> Iterator[str]:
        for own, found in enumerate(_in_threads(_content_digest, data.samples)):
            if isinstance(found, ImageError):
                unread[own] = found
            content = found if isinstance(found, bytes) else b""
            row = placement.rank + own * placement.workers
            yield _row_digest(header, row, data.samples[own], content)

    return add_digests(row_digests()), unread


def _content_digest(sample: Sample) -> bytes | ImageError:
    try:
        return content_digest(sample)
    except ImageError as error:
        return error


def _row_digest(header: bytes, row: int, sample: Sample, content: bytes) -> str:
    facts = [row, sample.label, sample.box, sample.keypoints, sample.split]
    parts = (header, content, json.dumps(facts).encode())
    digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    for part in parts:
        digest.update(len(part).to_bytes(8))
        digest.update(part)
    return digest.hexdigest()


def _write(
    samples: Sequence[Sample],
    unread: Mapping[int, ImageError],
    side: int,
    path: Path,
    progress: Progress | None,
) -> None:
    """Write the squares; ``unread`` are the rows whose bytes the digest lacks, with the reason.

    Raises:
        DataError: If images cannot be read or decoded; it names all of them.
    """
    shape = (len(samples), side, side, 3)
    problems: list[str] = []
    # Not flushed to the disk: it may have gigabytes, and can be made again. Not written through a
    # map: a disk that fills up would then end the process by a signal.
    with replacing(path, sync=False) as temporary, temporary.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, _header(shape))
        for row, outcome in enumerate(_decoded(samples, side)):
            if isinstance(outcome, DataError):
                problems += outcome.problems
            elif row in unread:
                problems += unread[row].problems
            else:
                file.write(outcome.tobytes())
            if progress is not None:
                progress(row + 1, len(samples))
        if problems:
            raise DataError(*problems)


def _header(shape: tuple[int, ...]) -> dict[str, Any]:
    descr = np.lib.format.dtype_to_descr(np.dtype(np.uint8))
    return {"descr": descr, "fortran_order": False, "shape": shape}


def _decoded(samples: Sequence[Sample], side: int) -> Iterator[ndarray | DataError]:
    """The square of each sample, in order, decoded on all cores."""

    def decode_one(sample: Sample) -> ndarray | DataError:
        try:
            return _square(sample, side)
        except DataError as error:
            where = f"{sample.origin}: " if sample.origin else ""
            return DataError(*(f"{where}{problem}" for problem in error.problems))

    return _in_threads(decode_one, samples)


def _in_threads(
    function: Callable[[Sample], Outcome], samples: Sequence[Sample]
) -> Iterator[Outcome]:
    """The outcome of each sample, in order; few samples at a time, so that memory is bounded."""
    with ThreadPoolExecutor() as pool:
        for start in range(0, len(samples), _CHUNK):
            yield from pool.map(function, samples[start : start + _CHUNK])


def _square(sample: Sample, side: int) -> ndarray:
    loaded = images.load(sample.image, at_least=side)
    # A shrunk image may end within its last column or row: resize up to the true edge.
    width, height = loaded.size_wh
    true_edge = (0, 0, width / loaded.scale_xy[0], height / loaded.scale_xy[1])
    image = Image.fromarray(loaded.pixels)
    return np.asarray(image.resize((side, side), Image.Resampling.BILINEAR, box=true_edge))


def _targets(data: Dataset) -> tuple[ndarray, ndarray, ndarray, ndarray, ndarray]:
    has_box = np.array([sample.box is not None for sample in data], bool)
    boxes = np.zeros((len(data), 4), np.float32)
    boxes[has_box] = normalized_boxes(data)
    index = {name: row for row, name in enumerate(data.classes)}
    labels = np.array([index.get(s.label or "", NO_LABEL) for s in data], np.int64)
    sizes_wh = np.array([size_of(sample) for sample in data], np.float32).reshape(-1, 2)
    return boxes, has_box, labels, _keypoints(data), sizes_wh[:, 0] / sizes_wh[:, 1]


def _keypoints(data: Dataset) -> Float32[ndarray, "n keypoints 3"]:
    """Keypoints as shares of the images' sides; an image without keypoints has none labelled."""
    count = 0 if data.keypoints is None else len(data.keypoints.names)
    keypoints = np.zeros((len(data), count, 3), np.float32)
    for row, sample in enumerate(data):
        if sample.keypoints is not None and count:
            keypoints[row] = np.array(sample.keypoints) / np.array([*size_of(sample), 1])
    return keypoints


def _forget_oldest(folder: Path, kept: int) -> None:
    ages: dict[Path, float] = {}
    for file in folder.glob("*.npy"):
        with suppress(FileNotFoundError):  # another process removed it
            ages[file] = file.stat().st_mtime
    for file in sorted(ages, key=ages.__getitem__, reverse=True)[kept:]:
        file.unlink(missing_ok=True)
