"""What a source yields: images to predict, and the reasons why there are none."""

from dataclasses import dataclass
from pathlib import Path

from onebox import images
from onebox.errors import ImageError


@dataclass(frozen=True, slots=True, eq=False)
class SourceItem:
    """An image to predict.

    Attributes:
        name: The image as the user named it; for a frame, its video or camera.
        source: The image: a path, encoded bytes or pixels.
        frame: The frame's number, from 0; None for an image.
        time_s: Seconds from the first frame to this one; None for an image.
        path: The file that the image comes from; None for a camera, a URL or an object store.
        member: The image's place in the file, if that is a shard; its name ends in ``:member``.
    """

    name: str
    source: images.Source
    frame: int | None = None
    time_s: float | None = None
    path: Path | None = None
    member: str | None = None

    def explain(self, error: ImageError) -> str:
        """The message of an error of this image, under its name."""
        message = str(error)
        if isinstance(self.source, bytes):  # "image of 12 bytes: is ..."
            return f"{self.name}: {message.partition(': ')[2]}"
        return f"{self.name}: {message.removeprefix(f'{self.source}: ')}"


@dataclass(frozen=True, slots=True)
class UnreadableSource:
    """A source that gives no image, or no further one; the message says why."""

    message: str


Found = SourceItem | UnreadableSource
