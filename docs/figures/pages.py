"""Take docs/images/page-*.png: the labelling page and the page of a model, in headless Chromium.

The model behind the pictures in the repository is that of docs/figures/predictions.py:

    python docs/figures/pages.py runs/cat/model.onnx

The images are generated; see predictions.py for what they are made of.
"""

import argparse
import csv
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright
from predictions import _COUNT, _samples

from onebox import formats, images
from onebox.labelling.records import image_id
from onebox.structures import Dataset, Sample

_OUT = Path(__file__).parents[1] / "images"
_CHROMIUM = "/usr/bin/chromium"
_COLOURS = 128  # no visible loss at this size
_WIDE, _NARROW = {"width": 1280, "height": 800}, {"width": 390, "height": 780}
_READY = "#stage[data-state=ready]"
_LABELLED = 4  # images that have a label at the beginning
_SUSPECT, _CONFLICT = 0, 1  # of them


def main() -> None:
    """Take one picture of each screen."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", type=Path, metavar="MODEL")
    parser.add_argument("--out", type=Path, default=_OUT)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_CHROMIUM, args=["--no-sandbox"])
        folder = Path(temporary) / "cats"
        samples = _write_images(folder)
        _write_labels(samples, folder)
        words = ["--model", str(options.model), "--suspects", str(folder / "audit.csv")]
        with _served(["label", str(folder), "--no-train", "--no-browser", *words]) as address:
            _take_label_pages(browser, address, folder, options.out)
        with _served(["serve", str(options.model), "--port", "0"]) as address:
            _take_model_page(browser, address, samples, options.out)
        browser.close()


def _write_images(folder: Path) -> list[Sample]:
    folder.mkdir()
    written = []
    for number, sample in enumerate(_samples()):
        file = folder / f"cat-{number:02}.png"
        Image.fromarray(images.load(sample.image).pixels).save(file)
        written.append(Sample(file, sample.label, sample.box))
    return written


def _write_labels(samples: list[Sample], folder: Path) -> None:
    """Labels of the first images, and a list of one suspect."""
    data = Dataset(tuple(samples[:_LABELLED]), ("cat",))
    formats.write(data, folder / "labels.csv", "csv")
    edges = dict(
        zip(("x_min", "y_min", "x_max", "y_max"), samples[_SUSPECT].box or (), strict=True)
    )
    row = {
        "image": samples[_SUSPECT].name.rpartition("/")[2],
        "list": "boxes",
        "listed": "yes",
        "kind": "one side",
        "why": "The left edge is far from the predicted one.",
        "suggested_label": "",
        "suggested_keypoints": "",
        **{
            f"suggested_{name}": f"{edge + 12 * (name == 'x_min'):.1f}"
            for name, edge in edges.items()
        },
    }
    with (folder / "audit.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, row)
        table.writeheader()
        table.writerow(row)


@contextmanager
def _served(words: list[str]) -> Iterator[str]:
    """The address of a server that runs meanwhile."""
    command = [sys.executable, "-m", "onebox", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        try:
            yield next(filter(None, map(_address_in, process.stdout or ())))
        finally:
            process.terminate()


def _address_in(line: str) -> str | None:
    found = re.search(r"http://\S+", line)
    return found and found[0]


def _take_label_pages(browser: Browser, address: str, folder: Path, out: Path) -> None:
    page = _open(browser, address)
    page.wait_for_selector("#suspect:not([hidden])")
    _save(page, out / "page-suspect.png")
    page.keyboard.press("Enter")
    _wait_for_proposal(page)
    _save(page, out / "page-label.png")
    page.keyboard.press("?")
    _save(page, out / "page-help.png")
    page.keyboard.press("Escape")
    page.keyboard.press("l")
    page.wait_for_timeout(500)  # the pictures of the list
    _save(page, out / "page-list.png")
    page.emulate_media(color_scheme="dark")
    _save(page, out / "page-dark.png")
    page.keyboard.press("l")
    page.set_viewport_size(_NARROW)
    _save(page, out / "page-narrow.png")
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(_WIDE)
    _make_conflict(page, folder)
    page.reload()
    page.wait_for_selector("#conflicts:not([hidden])")
    page.click("#conflicts-show")
    page.wait_for_timeout(500)
    _save(page, out / "page-conflict.png")


def _wait_for_proposal(page: Page) -> None:
    """Wait for the model, and pass by images of the accuracy sample, which have no proposal.

    Raises:
        RuntimeError: If there is no other image.
    """
    page.wait_for_function(
        "async () => (await (await fetch('/api/images?filter=doubtful')).json()).total > 0",
        timeout=60_000,
    )
    page.reload()
    for _ in range(_COUNT):
        page.wait_for_selector(_READY)
        page.wait_for_timeout(300)
        if page.get_attribute("#stage", "data-is-proposal") == "true":
            return
        page.keyboard.press("PageDown")
    raise RuntimeError("no image has a proposal")


def _make_conflict(page: Page, folder: Path) -> None:
    """Change one label in the file and on the page at once."""
    image = image_id(f"cat-{_CONFLICT:02}.png")
    label = {"label": "cat", "box": [10, 20, 90, 120], "keypoints": None}
    action = {"id": "figure", "image": image, "revision": 0, "label": label}
    action |= {"how": "drawn", "seconds": 1, "tab": "figure"}
    file = folder / "labels.csv"
    lines = file.read_text(encoding="utf-8").splitlines()
    edited = [
        re.sub(r",cat,[^,]*,", ",cat,40,", line) if f"cat-{_CONFLICT:02}" in line else line
        for line in lines
    ]
    file.write_text("\n".join([*edited, ""]), encoding="utf-8")
    page.evaluate(
        "(body) => fetch('/api/actions', {method: 'POST', body,"
        " headers: {'X-Onebox': '1', 'Content-Type': 'application/json'}})",
        json.dumps(action),
    )
    page.wait_for_timeout(3000)  # the file is looked at every two seconds


def _take_model_page(browser: Browser, address: str, samples: list[Sample], out: Path) -> None:
    page = _open(browser, address, ready="body[data-state=ready]")
    _save(page, out / "page-model-empty.png")
    page.set_input_files("#files", [sample.name for sample in samples[:6]])
    page.wait_for_selector(_READY)
    page.wait_for_timeout(2000)
    _save(page, out / "page-model.png")


def _open(browser: Browser, address: str, *, ready: str = _READY, **options: object) -> Page:
    page = browser.new_context(**{"viewport": _WIDE, **options}).new_page()
    page.goto(address)
    page.wait_for_selector(ready)
    return page


def _save(page: Page, file: Path) -> None:
    page.wait_for_timeout(300)  # for fonts and transitions
    page.screenshot(path=file)
    with Image.open(file) as picture:
        picture.convert("RGB").quantize(_COLOURS).save(file, optimize=True)
    print(file)


if __name__ == "__main__":
    main()
