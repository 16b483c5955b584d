"""Edits Pascal VOC: the XML file of each edited image, and the lists of the splits.

An XML file keeps its other elements and comments. An image that has none gets one, and its name is
added to the list of its split if there are lists. Taking a label away removes the XML file, for XML
without an object says that the image has no subject. XML that reading leaves out, since no list
names it, is neither changed nor removed: nobody saw what it says.
"""

import codecs
from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, indent, tostring
from xml.parsers import expat

from onebox.errors import DataError
from onebox.formats import voc
from onebox.formats.edits import Edited, Edits, Replacement, closest, new_name
from onebox.formats.image_lookup import ImageFinder
from onebox.formats.rows import ParsedLabels
from onebox.formats.voc_lists import SplitLists
from onebox.formats.writing import format_number
from onebox.image_sizes import size_of
from onebox.structures import Sample


def files(path: Path) -> list[Path]:
    """The files that hold the labels."""
    return [*sorted(path.glob("*.xml")), *voc.list_files(path).values()]


def parse(path: Path) -> ParsedLabels:
    """Read a folder of XML files, of which there may be none; see `onebox.formats.voc.parse`."""
    return voc.parse(path) if any(path.glob("*.xml")) else ParsedLabels(())


def edit(path: Path, edits: Edits) -> Edited:
    """Change labels in a folder of XML files.

    Returns:
        The XML files of the edited images, and the lists that change. An image that has several
        objects or files gets one. A stated size becomes that of the upright image, to which the
        new box belongs.

    Raises:
        DataError: If a list is not UTF-8 text.
    """
    folder = _Folder(path)
    lists = SplitLists(path, folder.stems)
    written: list[Replacement] = []
    removed: list[Replacement] = []
    refused = {}
    for image, sample in edits.samples.items():
        try:
            found = _only_read(folder.find(image, edits.origins.get(image, ())), lists, sample)
            made = [] if sample is None else [folder.changed(found, image, sample)]
        except DataError as error:
            refused[image] = str(error)
            continue
        kept = {one.path for one in made}
        alone = frozenset({image})
        gone = [
            Replacement(file, old, None, alone) for file, old in found.items() if file not in kept
        ]
        for one in gone:
            lists.remove(one.path.stem, image)
        for one in made:
            lists.add(one.path.stem, sample.split if sample else "train", image)
        written.extend(made)
        removed.extend(gone)
    # Names leave the lists before their files go, and enter them after their files are there.
    return Edited((*written, *lists.replacements(), *removed), refused)


def _only_read(
    found: Mapping[Path, bytes], lists: SplitLists, sample: Sample | None
) -> dict[Path, bytes]:
    """Those XML files of an image that reading does not leave out.

    Raises:
        DataError: If there are others only, and a label to write.
    """
    read = {file: old for file, old in found.items() if not lists.leave_out(file.stem)}
    if found and not read and sample is not None:
        file, old = next(iter(found.items()))
        if _relabelled(old, sample) == old:  # written when the list could not be
            return {file: old}
        raise DataError(
            f"{file}: belongs to {Path(sample.name).name}, but no list in ImageSets/Main names "
            f"{file.stem}, so its label was not read and is kept. Add {file.stem} to a list, or "
            "move the file away."
        )
    return read


class _Folder:
    """A folder of XML files."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._finder = ImageFinder(path)
        self._files = {file.stem.casefold(): file for file in path.glob("*.xml")}
        self.stems = {file.stem for file in self._files.values()}

    def find(self, image: Path, origins: Sequence[str]) -> dict[Path, bytes]:
        """The XML files of an image, with their content."""
        stems = dict.fromkeys([*map(voc.stem_of, origins), *self._usual_stems(image)])
        found = {}
        for stem in stems:
            file = self._files.get(stem.casefold())
            if file is not None and file.is_file():
                content = file.read_bytes()
                if voc.image_of(voc.read_tree(content), file, self._finder) == image:
                    found[file] = content
        return found

    def changed(self, found: Mapping[Path, bytes], image: Path, sample: Sample) -> Replacement:
        """The XML file of an image with a new label: the first of its files, or a new one."""
        for file, content in found.items():
            return Replacement(file, content, _relabelled(content, sample), frozenset({image}))
        return self._new_file(image, sample)

    def _usual_stems(self, image: Path) -> Iterable[str]:
        """The stems that `onebox` gives the XML file of an image, as far as there are any."""
        yield image.stem
        for number in count(2):
            stem = f"{image.stem}_{number}"
            if stem.casefold() not in self._files:
                return
            yield stem

    def _new_file(self, image: Path, sample: Sample) -> Replacement:
        new_name(image, self._path, self._finder)
        tries = (image.stem if n == 1 else f"{image.stem}_{n}" for n in count(1))
        stem = next(stem for stem in tries if stem.casefold() not in self._files)
        file = self._path / f"{stem}.xml"
        root = voc.annotation(sample, self._path)
        indent(root)
        content = tostring(root, encoding="utf-8", xml_declaration=True) + b"\n"
        if voc.image_of(voc.read_tree(content), file, self._finder) != image:
            raise DataError(f"{image}: VOC does not find it by its name. Rename the image.")
        self._files[stem.casefold()] = file
        self.stems.add(stem)
        return Replacement(file, None, content, frozenset({image}))


def _relabelled(content: bytes, sample: Sample) -> bytes:
    """An XML file with another label, in its own encoding and with its own line ends.

    Raises:
        DataError: If the new content would not be read as it is meant.
    """
    root = voc.read_tree(content)
    _set_size(root, sample)
    _set_object(root, sample)
    changed = _with_root(content, root)
    if _is_read_as(changed, root):
        return changed
    raise DataError(
        f"{sample.name}: label {sample.label!r} cannot be written into its XML file, which would "
        "then not be read as it is meant. Write it there yourself, or save the file as UTF-8."
    )


def _is_read_as(content: bytes, root: Element) -> bool:
    try:
        return tostring(voc.read_tree(content)) == tostring(root)
    except DataError:
        return False


def _with_root(content: bytes, root: Element) -> bytes:
    """An XML file with another root element; what is before and after it stays."""
    start, end, encoding = _root_span(content)
    # A carriage return that is no line end was written as a character reference.
    text = tostring(root, encoding="unicode").replace("\r", "&#13;")
    if "\r\n".encode(encoding) in content:
        text = text.replace("\n", "\r\n")
    return content[:start] + text.encode(encoding, "xmlcharrefreplace") + content[end:]


def _root_span(content: bytes) -> tuple[int, int, str]:
    """Where the root element begins and ends in an XML file, and the encoding of the file."""
    starts: list[int] = []
    ends: list[int] = []
    encodings: list[str | None] = []
    parser = expat.ParserCreate()
    parser.XmlDeclHandler = lambda _version, encoding, _standalone: encodings.append(encoding)
    parser.StartElementHandler = lambda *_: starts.append(parser.CurrentByteIndex)
    parser.EndElementHandler = lambda *_: ends.append(parser.CurrentByteIndex)
    parser.Parse(content, True)  # noqa: FBT003  (the last part)
    encoding = _wide_encoding(content) or next(filter(None, encodings), "utf-8")
    end = ends[-1]
    if content.startswith("</".encode(encoding), end):  # else the root is one empty tag, and over
        end = content.index(">".encode(encoding), end) + len(">".encode(encoding))
    return starts[0], end, encoding


def _wide_encoding(content: bytes) -> str:
    """The encoding of a file in UTF-16, which its first bytes tell; empty for another file."""
    if content.startswith((codecs.BOM_UTF16_LE, b"<\0")):
        return "utf-16-le"
    return "utf-16-be" if content.startswith((codecs.BOM_UTF16_BE, b"\0<")) else ""


def _set_size(root: Element, sample: Sample) -> None:
    size = root.find("size")
    if size is not None and voc.stated_size(root) not in {None, size_of(sample)}:
        for tag, length in zip(("width", "height"), size_of(sample), strict=True):
            _set_text(size, tag, str(length))


def _set_object(root: Element, sample: Sample) -> None:
    things = root.findall("object")
    kept = None
    if things and sample.box is not None:
        kept = things[closest([voc.label_and_box(one) for one in things], sample)]
    for thing in things:
        if thing is not kept:
            _remove(root, thing)
    if sample.box is None or sample.label is None:
        return
    if kept is None:
        _append(root, voc.thing(sample.label, sample.box))
        return
    _set_text(kept, "name", sample.label)
    edges = kept.find("bndbox")
    for tag, edge in zip(voc.EDGES, sample.box, strict=True):
        if edges is not None:
            _set_text(edges, tag, format_number(edge))


def _set_text(parent: Element, tag: str, text: str) -> None:
    child = parent.find(tag)
    (SubElement(parent, tag) if child is None else child).text = text


def _append(root: Element, child: Element) -> None:
    """Add the last child, indented like the others."""
    margin = root.text if root.text and not root.text.strip() else ""
    if "\n" in margin:
        indent(child, space=margin.rsplit("\n", 1)[-1] or "  ", level=1)
        child.tail = "\n"
    if len(root):
        root[-1].tail = margin
    root.append(child)


def _remove(root: Element, child: Element) -> None:
    """Remove a child with the white space before the next one."""
    position = list(root).index(child)
    if position == len(root) - 1 and position > 0:
        root[position - 1].tail = child.tail
    root.remove(child)
