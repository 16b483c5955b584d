"""Pascal VOC: one XML file an image, and lists of names for the splits.

Boxes are ``xyxy`` pixels and are not shifted: the first VOC counted pixels from 1, but the tools
that write the format today count from 0. XML without an object is an image without the subject.
Lists in ``ImageSets/Main`` name the images of each split; as in VOC, other images are left out.

References:
    Everingham et al., "The PASCAL Visual Object Classes Challenge", IJCV 2010.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from pathlib import Path
from xml.etree.ElementTree import Element, ElementTree, ParseError, SubElement, TreeBuilder, indent
from xml.parsers import expat

from onebox.errors import DataError, format_count, shorten
from onebox.files import real_path
from onebox.formats.image_lookup import LABEL_FOLDERS, ImageFinder
from onebox.formats.rows import ParsedLabels, Problems, Row
from onebox.formats.writing import (
    check_names,
    creating,
    format_number,
    format_path,
    image_file,
    unique_stems,
)
from onebox.image_sizes import size_of
from onebox.images import SUFFIXES
from onebox.structures import SPLITS, Box, Dataset, Sample, Split, as_box

EDGES = ("xmin", "ymin", "xmax", "ymax")
_MAIN = Path("ImageSets", "Main")
_BYTE_ORDER_MARK = "\ufeff"

# Lists that name the images of each split; the first that exists is read.
_LISTS: dict[Split, tuple[str, ...]] = {
    "train": ("train", "trainval"),
    "val": ("val", "valid"),
    "cal": ("cal", "calib", "calibration"),
    "test": ("test",),
}


def folders_of_xml(folder: Path) -> list[Path]:
    """Return the first folder with XML files: the folder itself, or one for labels in it."""
    inner = [one for one in sorted(folder.glob("*/")) if one.name.casefold() in LABEL_FOLDERS]
    deeper = [one / "xmls" for one in inner]
    return [one for one in [folder, *inner, *deeper] if any(one.glob("*.xml"))][:1]


def parse(path: Path) -> ParsedLabels:
    """Read one XML file, a folder of them, or a folder with ``Annotations`` in it.

    There is a problem for each object that cannot be used.

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
        rows, notes = _assign_splits(rows, _splits_of(folder, {file.stem for file in files}))
        notes += _unread_note(folder, files)
    return ParsedLabels(tuple(rows), notes=notes, problems=tuple(problems.sentences))


def write(dataset: Dataset, path: Path) -> None:
    """Write a data set without keypoints: ``Annotations/*.xml`` and ``ImageSets/Main/*.txt``.

    Images are not copied: ``path`` in each XML is relative to the XML file. Each XML is named like
    its image, with a number if two images share a name. The format does not hold the order of the
    classes: reading sorts them.

    Raises:
        DataError: If the format cannot hold the name of a class or an image.
    """
    images = [image_file(sample) for sample in dataset]
    stems = unique_stems(images)
    texts = {
        image: (stem, image.name, format_path(image, path / "Annotations"))
        for image, stem in zip(images, stems, strict=True)
    }
    check_names(dataset, texts)
    with creating(path) as unfinished:
        annotations, lists = unfinished / "Annotations", unfinished / _MAIN
        annotations.mkdir(parents=True)
        lists.mkdir(parents=True)
        for sample, stem in zip(dataset, stems, strict=True):
            tree = ElementTree(annotation(sample, annotations))
            indent(tree)
            tree.write(annotations / f"{stem}.xml", encoding="utf-8", xml_declaration=True)
        for split in SPLITS:
            names = [stem for stem, one in zip(stems, dataset, strict=True) if one.split == split]
            if names:
                (lists / f"{split}.txt").write_text("\n".join([*names, ""]), encoding="utf-8")


def annotation(sample: Sample, folder: Path) -> Element:
    """The XML of a sample, for a file in a folder.

    Raises:
        ImageError: If the image's size is not known and cannot be read.
        SettingError: If the image is not a file.
    """
    image = image_file(sample)
    width, height = size_of(sample)
    root = Element("annotation")
    _fill(root, {"folder": image.parent.name, "filename": image.name})
    _fill(root, {"path": format_path(image, folder)})
    _fill(SubElement(root, "size"), {"width": str(width), "height": str(height), "depth": "3"})
    if sample.box is not None:
        root.append(thing(sample.label or "", sample.box))
    return root


def thing(label: str, box: Box) -> Element:
    """The element ``object`` of a subject."""
    element = Element("object")
    _fill(element, {"name": label, "difficult": "0", "truncated": "0"})
    _fill(SubElement(element, "bndbox"), dict(zip(EDGES, map(format_number, box), strict=True)))
    return element


def _fill(element: Element, texts: Mapping[str, str]) -> None:
    for tag, text in texts.items():
        SubElement(element, tag).text = text


def read_tree(content: bytes) -> Element:
    """Parse an XML file, with its comments.

    Raises:
        DataError: If it is not XML as VOC has it.
    """
    # Entities are not expanded: a file that declares any is refused.
    builder = TreeBuilder(insert_comments=True, insert_pis=True)
    parser = expat.ParserCreate()
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    parser.CommentHandler = builder.comment
    parser.ProcessingInstructionHandler = builder.pi
    parser.StartDoctypeDeclHandler = _refuse
    try:
        parser.Parse(content, True)  # noqa: FBT003  (the last part)
        root = builder.close()
    # LookupError: an encoding that Python does not know.
    except (expat.ExpatError, ParseError, ValueError, LookupError) as error:
        raise DataError(f"is not XML ({error}). Correct or remove it.") from error
    if root.tag != "annotation":
        raise DataError(f"begins with <{root.tag}>, not with <annotation> as VOC does. Remove it.")
    return root


def _refuse(*_: object) -> None:
    raise DataError("declares a document type (DTD), which is not read. Remove that line.")


def _rows(file: Path, finder: ImageFinder, problems: Problems) -> list[Row]:
    root = read_tree(file.read_bytes())
    empty = Row(file.name, image_of(root, file, finder), stated_wh=stated_size(root))
    things = root.findall("object")
    if not things:
        return [empty]
    rows = []
    for number, one in enumerate(things, start=1):
        origin = file.name if len(things) == 1 else f"{file.name}: object {number}"
        with problems.at(origin):
            label, box = label_and_box(one)
            rows.append(replace(empty, origin=origin, label=label, box=box))
    return rows


def label_and_box(thing: Element) -> tuple[str | None, Box]:
    """Class and box of an element ``object``.

    Raises:
        DataError: If an edge is missing or not a number.
    """
    return _text(thing, "name") or None, as_box(_number(thing, edge) for edge in EDGES)


def _text(element: Element, tag: str) -> str:
    return (element.findtext(tag) or "").strip()


def image_of(root: Element, file: Path, finder: ImageFinder) -> Path:
    """The image that an XML file names, as `ImageFinder.find` returns it.

    Raises:
        DataError: If several sub-folders hold an image of that name.
    """
    path, name = _text(root, "path"), _text(root, "filename")
    # A relative path was written for this folder. An absolute one belongs to the machine on which
    # the box was drawn, so it comes last.
    relative = file.parent / path
    if path and not Path(path).is_absolute() and relative.is_file():
        return finder.resolve(relative)
    found = finder.search(name) if name else _same_stem(file, finder)
    if found is None and Path(path).is_absolute() and Path(path).is_file():
        found = Path(path)
    return finder.find(name or file.stem) if found is None else finder.resolve(found)


def _same_stem(file: Path, finder: ImageFinder) -> Path | None:
    names = (f"{file.stem}{suffix}" for suffix in sorted(SUFFIXES))
    return next((found for name in names if (found := finder.search(name))), None)


def stated_size(root: Element) -> tuple[int, int] | None:
    """Width and height that an XML file states; None if it states none.

    Raises:
        DataError: If one has thousands of digits.
    """
    texts = [_text(root, f"size/{name}") for name in ("width", "height")]
    if not all(text.isdecimal() for text in texts):
        return None
    try:
        width, height = map(int, texts)
    except ValueError:  # too many digits for `int`
        raise DataError(
            f"width or height has {max(map(len, texts))} digits, which is no size of an image. "
            "Correct it."
        ) from None
    # Some tools write 0 x 0 for an unknown size.
    return (width, height) if width > 0 and height > 0 else None


def _number(thing: Element, edge: str) -> float:
    text = _text(thing, f"bndbox/{edge}")
    try:
        return float(text)
    except ValueError:
        problem = f"is {text!r}, which is not a number" if text else "is missing"
        raise DataError(f"{edge} {problem}. Correct it, or remove the object.") from None


def _splits_of(folder: Path, stems: Set[str]) -> dict[str, list[Split]]:
    """Return the splits of each name in the lists beside the XML files or in the folder above."""
    splits: dict[str, list[Split]] = {}
    for split, file in list_files(folder).items():
        for line in decode_list(file, file.read_bytes()).splitlines():
            if stem := listed_stem(line.strip(), stems):
                splits.setdefault(stem, []).append(split)
    return splits


def decode_list(file: Path, content: bytes) -> str:
    """The text of a list of images.

    Raises:
        DataError: If it is not UTF-8.
    """
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{file}: is not UTF-8 text ({error.reason}). Save it as UTF-8.") from error


def list_files(folder: Path) -> dict[Split, Path]:
    """The file that lists the images of each split, for the splits that have one."""
    folders = [folder / _MAIN, real_path(folder).parent / _MAIN]
    found: dict[Split, Path] = {}
    for split, names in _LISTS.items():
        files = [one / f"{name}.txt" for one in folders for name in names]
        if file := next(filter(Path.is_file, files), None):
            found[split] = file
    return found


def listed_stem(line: str, stems: Set[str]) -> str:
    """Return the stem that a line of a list names; its first word if that is none of ``stems``."""
    tries = stems_in(line)
    return next((one for one in tries if one in stems), tries[1])


def stems_in(line: str) -> list[str]:
    """All that a line of a list may name, the likeliest first: the line, its first word, ....

    Lists of one class write a flag (-1, 0, 1) after the name; some tools write the file of the
    image.
    """
    # The mark stays in the text of a list, so that an edited list keeps it.
    name = line.removeprefix(_BYTE_ORDER_MARK)
    word = next(iter(name.split(maxsplit=1)), "")
    files = [Path(one) for one in (name, word) if Path(one).suffix.lower() in SUFFIXES]
    return [name, word, *(file.stem for file in files)]


def _assign_splits(
    rows: list[Row], splits: Mapping[str, list[Split]]
) -> tuple[list[Row], tuple[str, ...]]:
    if not splits:
        return rows, ()
    listed = [
        replace(row, split=split) for row in rows for split in splits.get(stem_of(row.origin), ())
    ]
    left_out = len({row.image for row in rows if stem_of(row.origin) not in splits})
    images = format_count(left_out, "image", "images")
    note = f"{images} left out, named by no list in {_MAIN.as_posix()}."
    return listed, (note,) if left_out else ()


def _unread_note(folder: Path, files: Sequence[Path]) -> tuple[str, ...]:
    """A note of the files whose suffix is written in other letters; none if there are none."""
    found = {file.name for file in folder.iterdir() if file.suffix.lower() == ".xml"}
    unread = sorted(found - {file.name for file in files})
    return (f"files not read: {shorten(unread)}. Write their suffix .xml.",) if unread else ()


def stem_of(origin: str) -> str:
    """Stem of the XML file of a row, given `Row.origin`."""
    # The last one: the image `x.xml.png` has the labels `x.xml.xml`.
    return origin.rpartition(".xml")[0]
