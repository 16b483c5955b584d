"""Write the files of this version, which later versions must read: models, and what is printed.

    python tests/compatibility/make_files.py

Run it once, when a version is released; the folder of a version is never written again. The network
is far smaller than any recipe's, so that the files are: two convolutions, 48-pixel images of discs.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PLACE = Path(__file__).parent
COUNTS = {"train": 32, "val": 6, "cal": 20, "test": 4}

COMMANDS = {
    "predict": ["predict", "model.onnx", "image.png", "--json", "--coverage", "0.8"],
    "predict-hog": ["predict", "model.npz", "image.png", "--json"],
    "evaluate": ["evaluate", "model.onnx", "labels.csv", "--split", "all", "--json"],
    "info": ["info", "model.onnx", "--json"],
}
"""What is stored of each command as ``NAME.json``, run in the folder of the version."""

SETTINGS = {
    "model": {
        "backbone": "tiny",
        "pretrained": False,
        "size": 32,
        "vectorizer": "flatten",
        "width": 2,
        "box_head": "direct",
        "hidden": [8],
        "refinement": "never",
    },
    "loss": {"box": {"l1": 5.0, "giou": 2.0, "laplace": 0.1}},
    "augment": {"geometric_probability": 0.2},
    "train": {
        "epochs": 40,
        "batch_size": 8,
        "learning_rate": 8e-3,
        "backbone_lr_scale": 1.0,
        "ema_decay": 0.9,
        "checkpoint": "best",
    },
}


def main():
    import onebox

    folder = PLACE / onebox.__version__
    if folder.exists():
        raise SystemExit(f"{folder} exists: what a version wrote is never written again.")
    with tempfile.TemporaryDirectory() as scratch:
        made = Path(scratch, "files")
        made.mkdir()
        write_image(made)
        write_network(Path(scratch, "network"), made / "model.onnx")
        write_hog(Path(scratch, "hog"), made / "model.npz")
        for name in COMMANDS:
            text = json.dumps(output_of(name, made), indent=1) + "\n"
            (made / f"{name}.json").write_text(text, "utf-8")
        shutil.copytree(made, folder)


def output_of(name, folder):
    """What a command prints in a folder of files, as JSON; paths are relative to the folder."""
    command = [sys.executable, "-m", "onebox", *COMMANDS[name]]
    ended = subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(ended.stdout.replace(f"{folder.resolve()}/", ""))


def write_image(folder):
    """One image of a disc, larger than the networks need, and its label."""
    import onebox
    from onebox import synthetic

    data = synthetic.dataset("synth:blobs", size=96, seed=5, counts={"test": 1})
    [sample] = synthetic.save(data, folder / "images", 1)
    shutil.move(sample.image, folder / "image.png")
    shutil.rmtree(folder / "images")
    moved = onebox.Sample(folder / "image.png", sample.label, sample.box, "test")
    onebox.write(onebox.Dataset((moved,), data.classes), folder / "labels.csv", "csv")


def write_network(run, file):
    """A trained and calibrated network."""
    from torch import nn

    import onebox
    from onebox import synthetic
    from onebox.learning.networks import backbones
    from onebox.recipes.recipe import check_recipe

    class Tiny(nn.Module):
        def __init__(self):
            super().__init__()
            self.fine = nn.Sequential(nn.Conv2d(3, 4, 5, stride=4, padding=2), nn.ReLU())
            self.deep = nn.Sequential(nn.Conv2d(4, 8, 3, stride=2, padding=1), nn.ReLU())

        def forward(self, images):
            fine = self.fine(images)
            return [fine, self.deep(fine)]

    backbones._OTHERS["tiny"] = Tiny
    data = synthetic.dataset("synth:blobs", size=48, counts=COUNTS)
    trained = onebox.train(data, check_recipe(SETTINGS, place="tiny"), out=run)
    shutil.copyfile(trained.model, file)


def write_hog(run, file):
    """HOG windows, as small as their settings allow."""
    import onebox
    from onebox import synthetic

    recipe = onebox.read_recipe("hog-svm", ["hog.window=4", "hog.scales=1", "hog.orientations=4"])
    data = synthetic.dataset("synth:blobs", size=96, counts=COUNTS)
    shutil.copyfile(onebox.train(data, recipe, out=run).model, file)


if __name__ == "__main__":
    main()
