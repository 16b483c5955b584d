"""Export the default network with random weights; it predicts as fast as a trained one.

A separate process runs this, so that the benchmarks of the runtime do not load PyTorch.
"""

import argparse
from pathlib import Path

import numpy as np

from onebox.learning.exporting.onnx_export import export
from onebox.learning.networks.network import Network
from onebox.model_card import ModelCard
from onebox.parity import PARITY_IMAGES
from onebox.recipes.loading import read_recipe


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", type=Path, metavar="MODEL")
    parser.add_argument(
        "--size", type=int, help="size of the network, in pixels; by default the recipe's"
    )
    options = parser.parse_args()
    changes = [] if options.size is None else [f"model.size={options.size}"]
    recipe = read_recipe("default", ["model.pretrained=false", *changes])
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (PARITY_IMAGES, 96, 128, 3), dtype=np.uint8)
    facts = ModelCard(classes=("subject",), size=recipe.model.size)
    export(Network(recipe, classes=1), facts, options.file, list(images))


if __name__ == "__main__":
    main()
