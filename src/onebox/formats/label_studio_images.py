"""The image of a Label Studio task: names of files that its URL may stand for."""

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from urllib.parse import quote, unquote, urlsplit

from onebox.errors import DataError, shorten
from onebox.formats.image_lookup import ImageFinder
from onebox.images import SUFFIXES

_LOCAL = "/data/local-files/?d="
_UPLOADED = re.compile(r"[0-9a-f]{8}-(?=.)")
"""What Label Studio puts before the name of an uploaded file."""


def image_url(data: Mapping[str, object]) -> str:
    """The value of ``data`` that names the image: ``image``, or the only one that is an image.

    Raises:
        DataError: If there is none, or more than one.
    """
    named = data.get("image")
    if isinstance(named, str):
        return named
    urls = [value for value in data.values() if isinstance(value, str) and _is_image(value)]
    if len(urls) != 1:
        keys = shorten(list(data)) or "no key"
        raise DataError(
            f"has no key 'image' in its data, which has {keys}. Call the key of the image so."
        )
    return urls[0]


def find_image(url: str, finder: ImageFinder) -> Path:
    """The image file of a URL, as `ImageFinder.find` gives it.

    A URL of an upload, of local files, of a bucket or a server stands for a file with the same
    path below the folder of the label file, or with the end of that path.

    Raises:
        DataError: If several folders hold such an image, or the URL cannot be a path.
    """
    names = _names(url)
    for name in names:
        found = finder.search(name)
        if found is not None:
            return finder.resolve(found)
    return finder.find(names[0])


def local_url(path: str) -> str:
    """The URL by which Label Studio serves a file below the root of its local files."""
    return f"{_LOCAL}{quote(path)}"


# Names to search, the longest first, and at last without what an upload adds to it.
def _names(url: str) -> list[str]:
    path = _path_of(url)
    parts = [part for part in PurePosixPath(path.replace("\\", "/")).parts if part != "/"]
    if not parts:
        raise DataError(f"names no image in {url!r}. Write its path.")
    tails = ["/".join(parts[start:]) for start in range(len(parts))]
    whole = [path] if path == url else []
    return list(dict.fromkeys([*whole, *tails, _UPLOADED.sub("", parts[-1], count=1)]))


def _path_of(url: str) -> str:
    if url.startswith("data:"):
        raise DataError("holds its image as text. Save it as a file, and write its path.")
    if url.startswith(_LOCAL):
        return unquote(url.removeprefix(_LOCAL))
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise DataError(f"image {url!r} is not a URL ({error}). Correct it.") from error
    is_remote = len(parts.scheme) > 1  # one letter is the drive of a path
    is_served = parts.path.startswith("/data/upload/")
    return unquote(parts.path) if is_remote or is_served else url


def _is_image(url: str) -> bool:
    return PurePosixPath(url.partition("#")[0].rpartition("?")[0] or url).suffix.lower() in SUFFIXES
