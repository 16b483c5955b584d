"""Pascal VOC: one XML file an image, and lists of names for the splits.

Boxes are ``xyxy`` pixels and are taken as they stand: the first VOC counted pixels from 1, but the
tools that write the format today count from 0. XML without an object is an image without the
subject. Lists in ``ImageSets/Main`` say which split an image is in; what none of them names is
left out, as VOC itself does.

References:
    Everingham et al., "The PASCAL Visual Object Classes Challenge", IJCV 2010.
"""

from collections.abc import Mapping, Set
from dataclasses import replace
from pathlib import Path
from xml.etree.ElementTree import Element, ElementTree, ParseError, SubElement, TreeBuilder, indent
from xml.parsers import expat

from onebox.errors import DataError
from onebox.formats.image_headers import upright_size
from onebox.formats.image_lookup import LABEL_FOLDERS, ImageFinder
from onebox.formats.rows import Labels, Problems, Row, counted
from onebox.formats.writing import image_of, number_text, path_text, replacing, unique_stems
from onebox.images import SUFFIXES
from onebox.structures import SPLITS, Box, Dataset, Sample, Split

_SIDES = ("xmin", "ymin", "xmax", "ymax")
_MAIN = Path("ImageSets", "Main")

# split → the lists that name its images; the first that exists counts
_LISTS: dict[Split, tuple[str, ...]] = {
    "train": ("train", "trainval"),
    "val": ("val", "valid"),
    "test": ("test",),
}


def folders_of_xml(folder: Path) -> list[Path]:
    """Return the folder that holds a data set's XML files: itself, or one called annotations."""
    named = [place for place in sorted(folder.glob("*/")) if place.name.casefold() in LABEL_FOLDERS]
    deeper = [place / "xmls" for place in named]
    return [place for place in [folder, *named, *deeper] if any(place.glob("*.xml"))][:1]


def parse(path: Path) -> Labels:
    """Read one XML file, a folder of them, or a folder with ``Annotations`` in it.

    Args:
        path: The file or folder.

    Returns:
        What it says, with a sentence for each object that cannot be used.

    Raises:
        DataError: If there is no XML file.
    """
    folder = path.parent if path.is_file() else next(iter(folders_of_xml(path)), path)
    files = [path] if path.is_file() else sorted(folder.glob("*.xml"))
    if not files:
        raise DataError(f"{path}: holds no XML file. Name the folder that does.")
    finder = ImageFinder(folder)
    problems = Problems()
    rows: list[Row] = []
    for file in files:
        with problems.at(file.name):
            rows.extend(_rows(file, finder, problems))
    notes: tuple[str, ...] = ()
    if path.is_dir():
        rows, notes = _in_splits(rows, _splits_of(folder, {file.stem for file in files}))
    return Labels(tuple(rows), notes=notes, problems=tuple(problems.sentences))


def write(dataset: Dataset, path: Path) -> None:
    """Write a data set as a folder: ``Annotations/*.xml`` and ``ImageSets/Main/*.txt``.

    Images stay where they are: ``path`` in each XML leads there, relative to the XML. Each XML
    is called like its image, with a number where two images share a name. Keypoints have no place
    here, and neither has the order of the classes: on reading they are sorted.

    Args:
        dataset: Without keypoints.
        path: The folder to make.
    """
    stems = unique_stems([image_of(sample) for sample in dataset])
    with replacing(path) as unfinished:
        annotations, lists = unfinished / "Annotations", unfinished / _MAIN
        annotations.mkdir(parents=True)
        lists.mkdir(parents=True)
        for sample, stem in zip(dataset, stems, strict=True):
            tree = ElementTree(_annotation(sample, annotations))
            indent(tree)
            tree.write(annotations / f"{stem}.xml", encoding="utf-8", xml_declaration=True)
        for split in SPLITS:
            names = [stem for stem, one in zip(stems, dataset, strict=True) if one.split == split]
            if names:
                (lists / f"{split}.txt").write_text("\n".join([*names, ""]), encoding="utf-8")


def _annotation(sample: Sample, folder: Path) -> Element:
    image = image_of(sample)
    width, height = sample.size_wh or upright_size(image)
    root = Element("annotation")
    _fill(root, {"folder": image.parent.name, "filename": image.name})
    _fill(root, {"path": path_text(image, folder)})
    _fill(SubElement(root, "size"), {"width": str(width), "height": str(height), "depth": "3"})
    if sample.box is not None:
        thing = SubElement(root, "object")
        _fill(thing, {"name": sample.label or "", "difficult": "0", "truncated": "0"})
        sides = dict(zip(_SIDES, map(number_text, sample.box), strict=True))
        _fill(SubElement(thing, "bndbox"), sides)
    return root


def _fill(element: Element, texts: Mapping[str, str]) -> None:
    for tag, text in texts.items():
        SubElement(element, tag).text = text


def _tree_of(file: Path) -> Element:
    """Parse XML without expanding anything: a file that declares entities is refused.

    Raises:
        DataError: If it is not XML, not VOC, or declares a document type.
    """
    builder = TreeBuilder()
    parser = expat.ParserCreate()
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = _refuse
    try:
        with file.open("rb") as content:
            parser.ParseFile(content)
        root = builder.close()
    except (expat.ExpatError, ParseError, ValueError) as error:
        raise DataError(f"is not XML ({error}). Write it anew.") from error
    if root.tag != "annotation":
        raise DataError(f"begins with <{root.tag}> where VOC has <annotation>. Leave it out.")
    return root


def _refuse(*_: object) -> None:
    raise DataError("declares a document type (DTD), which is not read. Remove that line.")


def _rows(file: Path, finder: ImageFinder, problems: Problems) -> list[Row]:
    root = _tree_of(file)
    empty = Row(file.name, _image(root, file, finder), stated_wh=_stated_size(root))
    things = root.findall("object")
    if not things:
        return [empty]
    rows = []
    for number, thing in enumerate(things, start=1):
        origin = file.name if len(things) == 1 else f"{file.name}: object {number}"
        with problems.at(origin):
            label = _text(thing, "name") or None
            rows.append(replace(empty, origin=origin, label=label, box=_box(thing)))
    return rows


def _text(element: Element, tag: str) -> str:
    return (element.findtext(tag) or "").strip()


def _image(root: Element, file: Path, finder: ImageFinder) -> Path:
    path, name = _text(root, "path"), _text(root, "filename")
    # A relative path was written for this very place; an absolute one tells where the image lay
    # on the machine of whoever drew the box, so it comes last.
    near = file.parent / path
    if path and not Path(path).is_absolute() and near.is_file():
        return finder.settle(near)
    found = finder.search(name) if name else _same_stem(file, finder)
    if found is None and Path(path).is_absolute() and Path(path).is_file():
        found = Path(path)
    return finder.find(name or file.stem) if found is None else finder.settle(found)


def _same_stem(file: Path, finder: ImageFinder) -> Path | None:
    names = (f"{file.stem}{suffix}" for suffix in sorted(SUFFIXES))
    return next((found for name in names if (found := finder.search(name))), None)


def _stated_size(root: Element) -> tuple[int, int] | None:
    texts = [_text(root, f"size/{side}") for side in ("width", "height")]
    if not all(text.isdecimal() and int(text) > 0 for text in texts):
        return None  # some tools write 0 x 0 where they do not know
    return int(texts[0]), int(texts[1])


def _box(thing: Element) -> Box:
    x_min, y_min, x_max, y_max = (_number(thing, side) for side in _SIDES)
    return x_min, y_min, x_max, y_max


def _number(thing: Element, side: str) -> float:
    text = _text(thing, f"bndbox/{side}")
    try:
        return float(text)
    except ValueError:
        said = f"is {text!r}, which is not a number" if text else "is missing"
        raise DataError(f"{side} {said}. Correct it, or remove the object.") from None


def _splits_of(folder: Path, stems: Set[str]) -> dict[str, list[Split]]:
    """Return the splits of each name that the lists beside the XML files, or above them, have."""
    splits: dict[str, list[Split]] = {}
    for split, lines in _lists_of(folder).items():
        for line in lines:
            if stem := _listed_stem(line.strip(), stems):
                splits.setdefault(stem, []).append(split)
    return splits


def _lists_of(folder: Path) -> dict[Split, list[str]]:
    homes = [folder / _MAIN, folder.resolve().parent / _MAIN]
    found: dict[Split, list[str]] = {}
    for split, names in _LISTS.items():
        files = [home / f"{name}.txt" for home in homes for name in names]
        for file in [file for file in files if file.is_file()][:1]:
            found[split] = file.read_text(encoding="utf-8").splitlines()
    return found


def _listed_stem(line: str, stems: Set[str]) -> str:
    """Return the name in a line of a list; lists of one class have a flag (-1, 0, 1) behind it."""
    return line if line in stems or not line else line.split(maxsplit=1)[0]


def _in_splits(
    rows: list[Row], splits: Mapping[str, list[Split]]
) -> tuple[list[Row], tuple[str, ...]]:
    if not splits:
        return rows, ()
    listed = [replace(row, split=split) for row in rows for split in splits.get(_stem_of(row), ())]
    left_out = len({row.image for row in rows if _stem_of(row) not in splits})
    images = counted(left_out, "image", "images")
    note = f"{images} left out, named by no list in {_MAIN.as_posix()}."
    return listed, (note,) if left_out else ()


def _stem_of(row: Row) -> str:
    return row.origin.split(".xml")[0]
