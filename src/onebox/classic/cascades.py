"""Haar cascades: those that come with OpenCV by name, any other by its file.

A cascade is a chain of ever stricter tests on sums of pixels in rectangles. It is applied at every
position and scale of a grey image; a window that passes all tests is a detection.

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
"""Ratio of one window size to the next: OpenCV's default, not tuned."""

MIN_NEIGHBOURS = 5
"""Windows that must agree on a detection. Fewer give more detections, and more false ones;
OpenCV's default is 3. Not tuned."""

MIN_FRACTION = 1 / 12
"""Smallest detection, as a fraction of the image's width or height, whichever is shorter: a main
subject is larger. Not tuned."""

Boxes = Float[ndarray, "n 4"]
Detector = Callable[[LoadedImage], Boxes]
"""An image → ``xyxy`` boxes in pixels of the whole image, the largest box first.

Windows are square, so the image must be decoded with ``keeps_shape``.
"""

_PREFIX = "haarcascade_"
_SUFFIX = ".xml"
# The first of these words in a cascade's name tells what the cascade detects.
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
    """The label of what a cascade detects, by its name; an unknown name is the label itself.

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
        SettingError: If no cascade has that name, or the file is not a cascade.
        OneboxError: If OpenCV is not installed.
    """
    path = _cascade_file(cascade)
    opencv = require_classic("cv2")
    try:
        classifier = opencv.CascadeClassifier(str(path))
    # OpenCV's constructor returns with an error set, which Python reports as a SystemError.
    except (SystemError, opencv.error) as error:
        raise SettingError(_not_a_cascade(path)) from error
    if classifier.empty():
        raise SettingError(_not_a_cascade(path))

    def detect(image: LoadedImage) -> Boxes:
        grey = opencv.cvtColor(image.pixels, opencv.COLOR_RGB2GRAY)
        least = max(1, round(MIN_FRACTION * min(grey.shape)))
        xywh = classifier.detectMultiScale(
            grey, scaleFactor=SCALE_STEP, minNeighbors=MIN_NEIGHBOURS, minSize=(least, least)
        )
        return _largest_first(_on_whole_image(np.array(xywh, dtype=np.float64), image))

    return detect


def _on_whole_image(xywh: ndarray, image: LoadedImage) -> Boxes:
    xyxy = to_xyxy(xywh.reshape(-1, 4), "xywh") * np.array(image.scale_xy * 2)
    return clip_boxes(xyxy, image.size_wh)


def _largest_first(boxes: Boxes) -> Boxes:
    # OpenCV's threads return boxes in any order; equal areas are sorted by left, then top edge.
    return boxes[np.lexsort((boxes[:, 1], boxes[:, 0], -box_areas(boxes)))]


def _cascade_file(cascade: str | Path) -> Path:
    path = Path(cascade)
    if path.is_file():
        return path
    if path.suffix == _SUFFIX or path.is_dir():
        what = "is a folder" if path.is_dir() else "there is no such file"
        raise SettingError(f"cascade {path}: {what}. Name a cascade's XML file.")
    name, known = str(cascade).removeprefix(_PREFIX), cascade_names()
    if (full_name := f"{_PREFIX}{name}") in known:
        return _bundled() / f"{full_name}{_SUFFIX}"
    short = [each.removeprefix(_PREFIX) for each in known]
    raise SettingError(
        f"cascade '{cascade}' is neither a file nor one of {shorten(short, most=20)}."
        f"{suggest(name, short)}"
    )


def _bundled() -> Path:
    return Path(require_classic("cv2.data").haarcascades)


def _not_a_cascade(path: Path) -> str:
    return (
        f"cascade {path}: is not a cascade that OpenCV can open. Name an XML file that OpenCV's "
        "trainer wrote, or a cascade that comes with OpenCV."
    )
