"""A person at the labelling page, played by a script: pointer and keys in a headless browser."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from playwright.sync_api import Page, sync_playwright

from onebox.boxes import paired_iou

CHROMIUM = "/usr/bin/chromium"
ACCEPTED_IOU = 0.9
"""IoU with the truth from which the person accepts a proposal."""

_RETRY_S, _MOST_TRIES = 0.02, 500

_PLACE = """
() => {
  const stage = document.getElementById("stage");
  const box = stage.getBoundingClientRect();
  const {imageId, scale, left, top, state, isProposal} = stage.dataset;
  return {
    id: imageId, state, scale: Number(scale), x: box.x + Number(left), y: box.y + Number(top),
    proposal: isProposal === "true" ? stage.dataset.box.split(" ").map(Number) : null,
  };
}
"""
_READY = """
(last) => {
  const {imageId, state} = document.getElementById("stage").dataset;
  return state === "ready" && imageId !== last;
}
"""
_LEFT = """
(last) => document.getElementById("stage").dataset.imageId !== last
"""
_TIMES = """
() => performance.getEntriesByType("resource")
  .filter((one) => one.name.includes("/api/"))
  .map((one) => ({path: new URL(one.name).pathname, method: one.initiatorType,
    ms: one.responseEnd - one.requestStart}))
"""

Box = tuple[float, float, float, float]


@contextmanager
def browser_page(address: str) -> Iterator[Page]:
    """The page at an address, as wide as a laptop's screen."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.add_init_script("performance.setResourceTimingBufferSize(100000)")
        page.goto(address)
        yield page
        browser.close()


@dataclass(frozen=True, slots=True)
class Done:
    """One labelled image.

    Attributes:
        image: Its id.
        how: ``drawn``, ``accepted`` or ``corrected``.
        proposal_iou: IoU of the proposal with the truth; None without one.
        box_iou: IoU of the label that was left with the truth.
        in_sample: Whether it measures the accuracy.
        round: Round whose model proposed it; None without a proposal.
        seconds: Time of the script, the page's work included.
    """

    image: str
    how: str
    proposal_iou: float | None
    box_iou: float
    in_sample: bool
    round: int | None
    seconds: float


class Person:
    """Labels one image after another by the truth."""

    def __init__(self, page: Page, truth: Mapping[str, Box]) -> None:
        self._page = page
        self._truth = truth
        self._last = ""

    def label_next(self, get: Callable[[str], Any]) -> Done:
        """Label the image that the page shows.

        Args:
            get: The JSON at a path of the server.
        """
        self._page.wait_for_function(_READY, arg=self._last)
        started_s = time.perf_counter()
        place = self._page.evaluate(_PLACE)
        entry = get(f"api/images/{place['id']}")
        truth, proposal = self._truth[entry["name"]], place["proposal"]
        iou = None if proposal is None else _iou(proposal, truth)
        how = self._set_box(place, proposal, truth, iou)
        self._page.keyboard.press("Enter")
        self._last = place["id"]
        self._page.wait_for_function(_LEFT, arg=self._last)
        label = _label_of(get, place["id"])
        return Done(
            place["id"],
            how,
            iou,
            _iou(label["box"], truth),
            entry["in_sample"],
            None if proposal is None else entry["proposal"]["round"],
            time.perf_counter() - started_s,
        )

    def times_ms(self) -> list[dict[str, Any]]:
        """What the page waited for each answer, in milliseconds."""
        return self._page.evaluate(_TIMES)

    def _set_box(
        self, place: Mapping[str, Any], proposal: Box | None, truth: Box, iou: float | None
    ) -> str:
        if proposal is None or iou is None:
            self._drag(place, truth[:2], truth[2:])
            return "drawn"
        if iou >= ACCEPTED_IOU:
            return "accepted"
        self._drag(place, proposal[:2], truth[:2])
        self._drag(place, proposal[2:], truth[2:])
        return "corrected"

    def _drag(
        self, place: Mapping[str, Any], start: tuple[float, ...], end: tuple[float, ...]
    ) -> None:
        mouse = self._page.mouse
        first, last = _on_screen(place, start), _on_screen(place, end)
        mouse.move(*first)
        mouse.down()
        mouse.move(*last, steps=5)
        mouse.up()


def _label_of(get: Callable[[str], Any], image: str) -> dict[str, Any]:
    """The label of an image once the server has it: the page goes on before.

    Raises:
        RuntimeError: If it gets none.
    """
    for _ in range(_MOST_TRIES):
        if label := get(f"api/images/{image}")["label"]:
            return label
        time.sleep(_RETRY_S)
    raise RuntimeError(f"image {image} got no label")


def _on_screen(place: Mapping[str, Any], point: tuple[float, ...]) -> tuple[float, float]:
    x, y = point
    return place["x"] + x * place["scale"], place["y"] + y * place["scale"]


def _iou(first: Box, second: Box) -> float:
    return float(paired_iou(np.array([first]), np.array([second]))[0])
