"""The encoded images of samples, as they are, and file names for them that suit every disk."""

from collections.abc import Callable, Sequence
from pathlib import Path

from onebox.errors import DataError, ImageError, SettingError
from onebox.images import SUFFIXES
from onebox.structures import Dataset, PackedImage, Sample

_UNSAFE = frozenset('<>:"/\\|?*')  # on Windows; the rest of letters below a space as well
_LONGEST = 100  # letters of a stem, so that a tar has room for it and a disk for its folder
_BEGINNINGS = {
    b"\xff\xd8\xff": ".jpg",
    b"\x89PNG": ".png",
    b"GIF8": ".gif",
    b"BM": ".bmp",
    b"II*\0": ".tif",
    b"MM\0*": ".tif",
    b"RIFF": ".webp",
}


def encoded_image(sample: Sample) -> Path | PackedImage:
    """The image of a sample, which is a file or lies in a shard.

    Raises:
        SettingError: If it is generated.
    """
    if sample.encoded is None:
        raise SettingError(
            "shards hold encoded images, but these images are generated. Save them first "
            "(onebox synth)."
        )
    return sample.encoded


def content_of(sample: Sample) -> bytes:
    """The bytes of a sample's image.

    Raises:
        ImageError: If it cannot be read.
        SettingError: If it is generated.
    """
    image = encoded_image(sample)
    try:
        return image.read_bytes() if isinstance(image, Path) else image.read()
    except OSError as error:
        raise ImageError(
            f"{image}: cannot be read ({error.strerror}). Correct the path or its permissions."
        ) from error


def file_names(dataset: Dataset, clean: Callable[[str], str] = str) -> list[str]:
    """A file name for each image: its own as far as it is safe and new, with an image's suffix.

    Names of folders are left out, so no name leads out of a folder. ``clean`` changes a name
    without its suffix, before the names are made distinct.

    Raises:
        DataError: If the name of an image does not end as an image's does, nor the image begin so.
        SettingError: If an image is generated.
    """
    stems = _numbered([clean(_safe_stem(sample)) for sample in dataset])
    return [f"{stem}{_suffix(sample)}" for stem, sample in zip(stems, dataset, strict=True)]


def _safe_stem(sample: Sample) -> str:
    last = encoded_image(sample).name.replace("\\", "/").rpartition("/")[2]
    name, dot, suffix = last.rpartition(".")
    stem = name if f"{dot}{suffix}".lower() in SUFFIXES else last
    kept = "".join("_" if letter in _UNSAFE or letter < " " else letter for letter in stem)
    return kept.strip(". ")[:_LONGEST] or "image"


def _numbered(stems: Sequence[str]) -> list[str]:
    """The stems, numbered from the second of one name on; compared without case, as some disks."""
    used = {stem.casefold() for stem in stems}
    seen: dict[str, int] = {}
    numbered = []
    for stem in stems:
        count = seen.get(stem.casefold(), 0) + 1
        name = stem if count == 1 else f"{stem}_{count}"
        while count > 1 and name.casefold() in used:
            count += 1
            name = f"{stem}_{count}"
        seen[stem.casefold()] = count
        used.add(name.casefold())
        numbered.append(name)
    return numbered


def _suffix(sample: Sample) -> str:
    image = encoded_image(sample)
    own = f".{image.name.rpartition('.')[2]}".lower()
    if own in SUFFIXES:
        return own
    beginning = _beginning(image)
    for mark, suffix in _BEGINNINGS.items():
        if beginning.startswith(mark):
            return suffix
    raise DataError(
        f"{sample.name}: its name does not tell the format of the image. Save it as JPEG or PNG."
    )


def _beginning(image: Path | PackedImage) -> bytes:
    try:
        with image.open("rb") if isinstance(image, Path) else image.open() as file:
            return file.read(4)
    except OSError as error:
        raise ImageError(
            f"{image}: cannot be read ({error.strerror}). Correct the path or its permissions."
        ) from error
