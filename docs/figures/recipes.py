"""Draw docs/images/recipe-NAME.png: what each recipe's model finds in the same six images.

The models are those that benchmarks/recipes.py keeps:

    python benchmarks/recipes.py train --shared DIR --keep DIR results.json
    python docs/figures/recipes.py DIR [--pose runs/pose/model.onnx --lsp DIR/lsp]

The images are generated, of a seed that training does not use. Those of the athletes are not
free to show: of them stands here what a keypoint model makes of it, beside what is true, on no ground.
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
_COUNT, _SIDE = 6, 150
_COLOURS = 128  # as many as the eye asks for at this size
_GROUND = 245

Shown = tuple[Sample, ndarray]


def main() -> None:
    """Draw one sheet for each kept run, and one of keypoints where asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("keep", type=Path, metavar="DIR")
    parser.add_argument("--pose", type=Path, help="a model of keypoints")
    parser.add_argument("--lsp", type=Path, help="the folder of its data")
    options = parser.parse_args()
    shown = [(sample, images.load(sample.image).pixels) for sample in islice(_samples(), _COUNT)]
    for folder in sorted(options.keep.glob("*-synth-cutouts")):
        model = next(file for file in folder.iterdir() if file.stem == "model")
        _write(folder.name.removesuffix("-synth-cutouts"), model, shown)
    if options.pose is not None:
        people = onebox.read(options.lsp, format="coco").part("test").samples[:_COUNT]
        shown = [(person, images.load(person.image).pixels) for person in people]
        _write("pose", options.pose, shown, with_ground=False)


def _write(name: str, model: Path, shown: Sequence[Shown], *, with_ground: bool = True) -> None:
    localizer = onebox.load(model)
    tiles = []
    for sample, pixels in shown:
        found = localizer.predict(pixels)
        ground = pixels if with_ground else np.full_like(pixels, _GROUND)
        tiles.append(
            draw(ground, prediction=found, truth=sample, keypoints=localizer.card.keypoints)
        )
    sheet = contact_sheet(tiles, columns=_COUNT, tile_side=_SIDE)
    out = _FOLDER / f"recipe-{name}.png"
    sheet.quantize(_COLOURS).save(out, optimize=True)
    print(out.name)


if __name__ == "__main__":
    main()
