"""Draw docs/images/predictions.png: predictions on generated images.

The model behind the drawing in the repository:

    onebox train synth:cutouts --recipe demo --set train.epochs=12 --set train.learning_rate=2e-3 \
        --out runs/cat
    python docs/figures/predictions.py runs/cat/model.onnx

The images are the first ones of a seed that training does not use, not cherry-picked. Their
backgrounds are those photographs of scikit-image that are CC0 or in the public domain, so that the
drawing has no licence conditions.
"""

import argparse
import shutil
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import onebox
from onebox import images, synthetic
from onebox.contact_sheets import contact_sheet
from onebox.structures import Sample
from onebox.synthetic.material import bundled_image
from onebox.visualization import draw

_OUT = Path(__file__).parents[1] / "images" / "predictions.png"
_SEED = 1
_FREE = (
    "astronaut.png",
    "brick.png",
    "camera.png",
    "coffee.png",
    "grass.png",
    "gravel.png",
    "rocket.jpg",
)
_COUNT, _COLUMNS, _SIZE = 12, 6, 176
_COLOURS = 256  # no visible loss at this size, and a third of the bytes


def main() -> None:
    """Predict the images, draw them on one sheet, save it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", type=Path, metavar="MODEL")
    parser.add_argument("--out", type=Path, default=_OUT)
    options = parser.parse_args()
    localizer = onebox.load(options.model)
    tiles = []
    for sample in _samples():
        pixels = images.load(sample.image).pixels
        tiles.append(draw(pixels, prediction=localizer.predict(pixels), truth=sample))
    sheet = contact_sheet(tiles, columns=_COLUMNS, tile_side=_SIZE)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    sheet.quantize(_COLOURS).save(options.out, optimize=True)
    print(f"{options.out}: {_COUNT} images")


def _samples() -> Iterator[Sample]:
    with tempfile.TemporaryDirectory() as folder:
        for name in _FREE:
            shutil.copy(bundled_image("scikit-image", f"data/{name}"), folder)
        backgrounds = Path(folder)
        endless = synthetic.cutouts(size=_SIZE, seed=_SEED, split="test", backgrounds=backgrounds)
        yield from islice(endless, _COUNT)


if __name__ == "__main__":
    main()
