"""Haar cascades: those that come with OpenCV by name, any other by its file.

A cascade is a chain of ever stricter tests on sums of rectangles, tried at every place and scale
of a grey image; what passes them all is a find.

References:
    Viola and Jones, "Rapid object detection using a boosted cascade of simple features", CVPR 2001.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from onebox.boxes import box_areas, clip_boxes, to_xyxy
from onebox.classic.packages import require_classic
from onebox.errors import SettingError, shorten, suggest
from onebox.images import LoadedImage

SCALE_STEP = 1.1
"""From one tried size of the window to the next."""

LEAST_NEIGHBOURS = 5
"""Windows that must agree on a find; with fewer, more is found and more of it is none."""

LEAST_SHARE = 1 / 12
"""The smallest find, as a share of the image's shorter side."""

Boxes = Float[ndarray, "n 4"]
Detector = Callable[[LoadedImage], Boxes]
"""An image → ``xyxy`` boxes in pixels of the whole image, the largest first."""

_PREFIX = "haarcascade_"
_SUFFIX = ".xml"
# The first of these words that occurs in a cascade's name says what it finds.
_SUBJECTS = {
    "catface": "cat face",
    "face": "face",
    "eye": "eye",
    "smile": "smile",
    "upperbody": "upper body",
    "lowerbody": "lower body",
    "fullbody": "body",
    "plate": "licence plate",
}


def cascade_names() -> list[str]:
    """The cascades that come with OpenCV.

    Raises:
        OneboxError: If OpenCV is not installed.
    """
    return sorted(path.stem for path in _bundled().glob(f"*{_SUFFIX}"))


def subject_of(cascade: str | Path) -> str:
    """Say what a cascade finds, by its name; a name that says nothing is the label itself.

    Examples:
        >>> subject_of("haarcascade_frontalface_default"), subject_of("raccoons.xml")
        ('face', 'raccoons')
    """
    name = Path(cascade).name.removesuffix(_SUFFIX)
    return next((label for word, label in _SUBJECTS.items() if word in name.casefold()), name)


def open_cascade(cascade: str | Path) -> Detector:
    """Open a cascade.

    Args:
        cascade: A name of `cascade_names`, with or without its ``haarcascade_``, or a file.

    Raises:
        SettingError: If there is none of that name, or the file is no cascade.
        OneboxError: If OpenCV is not installed.
    """
    path = _cascade_file(cascade)
    opencv = require_classic("cv2")
    try:
        classifier = opencv.CascadeClassifier(str(path))
    # The constructor leaves OpenCV's own error behind it, which Python reports as a SystemError.
    except (SystemError, opencv.error) as error:
        raise SettingError(_no_cascade(path)) from error
    if classifier.empty():
        raise SettingError(_no_cascade(path))

    def detect(image: LoadedImage) -> Boxes:
        grey = opencv.cvtColor(image.pixels, opencv.COLOR_RGB2GRAY)
        least = max(1, round(LEAST_SHARE * min(grey.shape)))
        finds = classifier.detectMultiScale(
            grey, scaleFactor=SCALE_STEP, minNeighbors=LEAST_NEIGHBOURS, minSize=(least, least)
        )
        return _ranked(_on_whole_image(np.array(finds, dtype=np.float64), image))

    return detect


def _on_whole_image(finds: ndarray, image: LoadedImage) -> Boxes:
    xyxy = to_xyxy(finds.reshape(-1, 4), "xywh") * np.array(image.scale_xy * 2)
    width, height = image.size_wh
    return clip_boxes(xyxy, (float(width), float(height)))


def _ranked(boxes: Boxes) -> Boxes:
    # OpenCV searches in threads; of equal boxes the left, then the upper comes first.
    return boxes[np.lexsort((boxes[:, 1], boxes[:, 0], -box_areas(boxes)))]


def _cascade_file(cascade: str | Path) -> Path:
    """Find a cascade's file.

    Raises:
        SettingError: If there is none of that name.
    """
    path = Path(cascade)
    if path.is_file():
        return path
    if path.suffix == _SUFFIX or path.is_dir():
        what = "is a folder" if path.is_dir() else "there is no such file"
        raise SettingError(f"cascade {path}: {what}. Name a cascade's XML file.")
    names = cascade_names()
    name = str(cascade)
    if f"{_PREFIX}{name}" in names:
        name = f"{_PREFIX}{name}"
    if name not in names:
        short = [known.removeprefix(_PREFIX) for known in names]
        hint = suggest(name.removeprefix(_PREFIX), short)
        raise SettingError(
            f"cascade {name!r} is neither a file nor one of {shorten(short, most=20)}.{hint}"
        )
    return _bundled() / f"{name}{_SUFFIX}"


def _bundled() -> Path:
    return Path(require_classic("cv2.data").haarcascades)


def _no_cascade(path: Path) -> str:
    return (
        f"cascade {path}: is not a cascade that OpenCV can open. Name an XML file that OpenCV's "
        "trainer wrote, or a cascade that comes with OpenCV."
    )
