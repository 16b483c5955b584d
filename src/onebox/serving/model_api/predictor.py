"""Predictions for many requests at once: a pool of threads, a bounded queue, a time limit.

Each thread predicts one image at a time with a session of one thread, as `predict_many` does: on a
CPU that keeps every core busy, and images of several requests in one call gain nothing. A client
that asks for too much is told at once, so no queue grows, and no answer comes after its client has
given up.
"""

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from numpy import ndarray
from PIL import UnidentifiedImageError

from onebox.errors import ImageError
from onebox.images import open_image
from onebox.localizer import Localizer
from onebox.serving.model_api.jpeg_scans import check_scans
from onebox.serving.model_api.models import NOTHING, ModelHolder, Promised
from onebox.serving.web.problems import NotAnImageError, ProblemError
from onebox.structures import Prediction

Upload = bytes | ndarray
"""An encoded image, or an array as `Localizer.predict` takes it; never a path."""

FORMATS = frozenset({"BMP", "GIF", "JPEG", "MPO", "PNG", "TIFF", "WEBP"})
"""Pillow's names of the formats that are decoded. Some others start programs."""

Result = Future[Prediction | ImageError]

_RETRY = {"Retry-After": "1"}  # seconds; not tuned


@dataclass(frozen=True, slots=True)
class Work:
    """How much a predictor does at once. None of the defaults was tuned.

    Attributes:
        threads: Images in work at once.
        queue: Most images that wait for a thread.
        seconds: Time within which a request is answered.
        max_pixels: Most pixels of an encoded image.
    """

    threads: int
    queue: int = 64
    seconds: float = 30.0
    max_pixels: int = 100_000_000


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers to one request.

    Attributes:
        model: The model that made all of them; a reload may have replaced it since.
        promised: What it promises in them.
        results: A prediction for each source, or why there is none.
    """

    model: Localizer
    promised: Promised
    results: list[Prediction | ImageError]


class Predictor:
    """Predicts in a pool of threads, for the one thread of an event loop.

    Attributes:
        models: The model that predicts.
        work: How much is done at once.
        unfinished: Images that wait or are in work.
        predicted: Images with a prediction so far.
        unreadable: Images so far that could not be read.
        is_ready: Whether new requests are welcome.
    """

    def __init__(self, models: ModelHolder, work: Work) -> None:
        self.models = models
        self.work = work
        self.unfinished = self.predicted = self.unreadable = 0
        self.is_ready = True
        self._counting = threading.Lock()
        self._pool = ThreadPoolExecutor(work.threads, thread_name_prefix="onebox")

    async def predict(
        self,
        sources: Sequence[Upload],
        *,
        coverage: float | None = None,
        max_risk: float | None = None,
    ) -> list[Prediction | ImageError]:
        """Predict the subject of each image; see `answer`.

        Raises:
            ProblemError: If the queue is full, or the time is over.
            SettingError: If the model cannot promise what is asked.
        """
        return (await self.answer(sources, Promised(coverage, max_risk))).results

    async def answer(self, sources: Sequence[Upload], asked: Promised = NOTHING) -> Answers:
        """Predict the subject of each image, all with the same model.

        Args:
            sources: Images.
            asked: What to promise; what the server usually does where None.

        Raises:
            ProblemError: 503 if the queue is full, or the time is over.
            SettingError: If the model cannot promise what is asked.
        """
        promised = asked.or_else(self.models.usual)
        model = self.models.promising(promised)
        futures = self._submit(partial(_predict, model, self.work.max_pixels), sources)
        return Answers(model, promised, await self._wait(futures))

    def drain(self) -> None:
        """Say from now on that no new requests are welcome; those that come are answered."""
        self.is_ready = False

    def close(self) -> None:
        """Drop what waits; the threads end with what they do."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _submit(
        self, predict: Callable[[Upload], Prediction | ImageError], sources: Sequence[Upload]
    ) -> list[Result]:
        with self._counting:
            # A request with more images than the queue holds is taken when nothing else waits.
            if self.unfinished and self.unfinished + len(sources) > self._most:
                raise ProblemError(
                    503,
                    f"{self.unfinished} images wait or are in work; at most {self._most} may. Send "
                    "this request again later.",
                    _RETRY,
                )
            self.unfinished += len(sources)
        futures = [self._pool.submit(predict, source) for source in sources]
        for future in futures:
            future.add_done_callback(self._count_down)
        return futures

    def _count_down(self, future: Result) -> None:
        is_done = not future.cancelled() and future.exception() is None
        is_read = is_done and isinstance(future.result(), Prediction)
        with self._counting:
            self.unfinished -= 1
            self.predicted += is_read
            self.unreadable += is_done and not is_read

    async def _wait(self, futures: Sequence[Result]) -> list[Prediction | ImageError]:
        """The results; what has not begun when the time is over is dropped.

        Raises:
            ProblemError: If the time is over.
        """
        try:
            async with asyncio.timeout(self.work.seconds):
                return await asyncio.gather(*map(asyncio.wrap_future, futures))
        except TimeoutError:
            raise ProblemError(
                503,
                f"The prediction took more than {self.work.seconds:g} seconds, which is the limit. "
                "Send the request again later, or send fewer or smaller images.",
                _RETRY,
            ) from None

    @property
    def _most(self) -> int:
        return self.work.threads + self.work.queue


def _predict(model: Localizer, max_pixels: int, source: Upload) -> Prediction | ImageError:
    try:
        if isinstance(source, bytes):
            _check(source, max_pixels)
        return model.predict(source)
    except ImageError as error:
        return error


def _check(encoded: bytes, max_pixels: int) -> None:
    """Check what an image says of itself, before its pixels are decoded.

    Raises:
        ImageError: If its header is damaged, or it has too many pixels or scans.
        NotAnImageError: If its format is not served.
    """
    try:
        with open_image(encoded) as image:
            kind, (width, height) = image.format, image.size
    except ImageError as error:
        if encoded and isinstance(error.__cause__, UnidentifiedImageError):
            raise NotAnImageError(str(error)) from error
        raise
    if kind not in FORMATS:
        raise NotAnImageError(
            f"the image is a {kind}; this server reads {', '.join(sorted(FORMATS))}. Save it as "
            "JPEG or PNG."
        )
    if width * height > max_pixels:
        raise ImageError(
            f"the image has {width} x {height} pixels; at most {max_pixels} pixels are allowed. "
            "Shrink it."
        )
    check_scans(encoded, kind, width * height, max_pixels)
