"""Draw docs/images/recipe-NAME.png: predictions of each recipe's model on the same six images.

The models are those that benchmarks/recipes.py keeps:

    python benchmarks/recipes.py train --shared DIR --keep DIR results.json
    python docs/figures/recipes.py DIR [--pose runs/pose/model.onnx --lsp DIR/lsp]

The images are generated from a seed that training does not use. The photographs of the athletes may
not be published: their sheet shows only predicted and true keypoints, on a grey background.
"""

import argparse
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import numpy as np
from numpy import ndarray
from predictions import _samples

import onebox
from onebox import images
from onebox.contact_sheets import contact_sheet
from onebox.structures import Sample
from onebox.visualization import draw

_FOLDER = Path(__file__).parents[1] / "images"
_COUNT, _SIZE = 6, 150
_COLOURS = 128  # no visible loss at this size
_BACKGROUND = 245  # light grey

Pair = tuple[Sample, ndarray]  # a sample and its pixels


def main() -> None:
    """Draw one sheet per run, and one of keypoints if --pose is given."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("keep", type=Path, metavar="DIR")
    parser.add_argument("--pose", type=Path, help="a model with keypoints")
    parser.add_argument("--lsp", type=Path, help="the folder of its data set")
    options = parser.parse_args()
    pairs = [(sample, images.load(sample.image).pixels) for sample in islice(_samples(), _COUNT)]
    for folder in sorted(options.keep.glob("*-synth-cutouts")):
        model = next(file for file in folder.iterdir() if file.stem == "model")
        _write(folder.name.removesuffix("-synth-cutouts"), model, pairs)
    if options.pose is not None:
        people = onebox.read(options.lsp, format="coco").part("test").samples[:_COUNT]
        pairs = [(person, images.load(person.image).pixels) for person in people]
        _write("pose", options.pose, pairs, with_photograph=False)


def _write(name: str, model: Path, pairs: Sequence[Pair], *, with_photograph: bool = True) -> None:
    localizer = onebox.load(model)
    tiles = []
    for sample, pixels in pairs:
        found = localizer.predict(pixels)
        background = pixels if with_photograph else np.full_like(pixels, _BACKGROUND)
        tiles.append(
            draw(background, prediction=found, truth=sample, keypoints=localizer.card.keypoints)
        )
    sheet = contact_sheet(tiles, columns=_COUNT, tile_side=_SIZE)
    out = _FOLDER / f"recipe-{name}.png"
    sheet.quantize(_COLOURS).save(out, optimize=True)
    print(out.name)


if __name__ == "__main__":
    main()
