"""COCO as FiftyOne loads it: a folder with the images in ``data/``, and ``labels.json``.

Each split is a folder of its own: ``train/data/``, ``train/labels.json`` and so on. The labels are
those of `onebox.formats.coco`; ``file_name`` is relative to ``data/``.

References:
    https://docs.voxel51.com/user_guide/import_datasets.html, COCODetectionDataset
"""

from pathlib import Path

from onebox.errors import DataError
from onebox.formats import coco
from onebox.formats.image_lookup import ImageFinder
from onebox.formats.rows import ParsedLabels
from onebox.formats.writing import creating, image_file, link_or_copy, unique_stems
from onebox.structures import SPLITS, Dataset

_LABELS = "labels.json"
_IMAGES = "data"


def files_in(folder: Path, *, is_asked: bool = False) -> list[Path]:
    """The label file of a folder that FiftyOne would load, or that the user says is one."""
    file = folder / _LABELS
    if not file.is_file():
        return []
    is_ready = (folder / _IMAGES).is_dir() and coco.is_labels(file)
    return [file] if is_asked or is_ready else []


def parse(path: Path) -> ParsedLabels:
    """Read ``labels.json`` of a folder, given the file or the folder.

    Raises:
        DataError: If there is no such file, or it is not COCO.
    """
    file = path / _LABELS if path.is_dir() else path
    if not file.is_file():
        raise DataError(f"{path}: holds no {_LABELS}. Name the folder that does.")
    finder = ImageFinder(file.parent, file.stem)

    def find(name: str) -> Path:
        found = finder.search(f"{_IMAGES}/{name}")
        return finder.find(name) if found is None else finder.resolve(found)

    return coco.parse(file, find)


def write(dataset: Dataset, path: Path) -> None:
    """Write a data set as a folder with one folder for each split.

    The format finds images in ``data/``, so they are written too, as hard links if the disk allows
    it, else as copies. The second image of the same name gets a number.
    """
    images = [image_file(sample) for sample in dataset]
    stems = unique_stems(images)
    names = [f"{stem}{image.suffix}" for stem, image in zip(stems, images, strict=True)]
    with creating(path) as unfinished:
        for split in SPLITS:
            part = dataset.part(split)
            if not part.samples:
                continue
            folder = unfinished / split / _IMAGES
            folder.mkdir(parents=True)
            chosen = [name for name, one in zip(names, dataset, strict=True) if one.split == split]
            for name, sample in zip(chosen, part, strict=True):
                link_or_copy(image_file(sample), folder / name, format="FiftyOne")
            coco.write_file(part, folder.parent / _LABELS, chosen)
