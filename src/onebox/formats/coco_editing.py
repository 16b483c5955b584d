"""Edits COCO files: entries that do not change keep their text, and changed ones their other keys.

A file that is missing or empty gets the three lists of COCO. Crowd annotations, which reading
leaves out, always stay, each with its own entry of the image. A segmentation stays as it is when
the box changes, and so does the area, which is that of the segmentation.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from onebox.errors import DataError
from onebox.formats import coco
from onebox.formats.coco_records import Id
from onebox.formats.edits import (
    Edited,
    Edits,
    Replacement,
    closest,
    may_name,
    names_of,
    new_name,
    read_or_none,
)
from onebox.formats.image_lookup import ImageFinder
from onebox.formats.json_lists import Entry, read_lists, replace_lists
from onebox.formats.rows import ParsedLabels
from onebox.formats.writing import format_path, image_file
from onebox.image_sizes import size_of
from onebox.structures import Box, Sample

_BOM = "\ufeff"
_BLANK = _BOM.encode() + b" \t\r\n"
_LISTS = ("images", "annotations", "categories")
_NEW = '{\n"images": [\n],\n"annotations": [\n],\n"categories": [\n]\n}\n'
_KEYPOINT_KEYS = ("keypoints", "skeleton", "flip_pairs")


def files(path: Path) -> list[Path]:
    """The files that hold the labels."""
    return [path]


def parse(path: Path) -> ParsedLabels:
    """Read a COCO file, which may be missing or empty; see `onebox.formats.coco.parse`.

    Raises:
        DataError: If it is not COCO.
    """
    content = read_or_none(path) or b""
    return coco.parse(path) if content.strip(_BLANK) else ParsedLabels((), classes=())


def edit(path: Path, edits: Edits) -> Edited:
    """Change labels in a COCO file.

    Returns:
        The file with the new labels. An image that has several annotations gets one. A stated size
        becomes that of the upright image, to which the new box belongs.

    Raises:
        DataError: If the file is not COCO.
    """
    old = read_or_none(path)
    text = (old or b"").decode("utf-8-sig")
    mark = _BOM if (old or b"").startswith(_BOM.encode()) else ""
    text = text if text.strip() else _NEW
    try:
        lists = read_lists(text, _LISTS)
        document = _Document({key: lists[key].entries for key in _LISTS}, path)
    except (ValueError, LookupError) as error:
        raise DataError(f"{path.name}: is not COCO ({error}). Correct it.") from error
    refused = document.apply(edits)
    new = mark + replace_lists(text, lists, document.lists())
    return Edited((Replacement(path, old, new.encode()),), refused)


class _Document:
    """The entries of a COCO file while it is edited."""

    def __init__(self, lists: Mapping[str, Sequence[Entry]], path: Path) -> None:
        self._folder = path.parent
        self._finder = ImageFinder(path.parent, path.stem)
        self._images, self._annotations, self._categories = (list(lists[key]) for key in _LISTS)
        self._dropped_images: set[int] = set()
        self._dropped_annotations: set[int] = set()
        self._states_splits = not self._images or any(
            entry.value.get("split") for entry in self._images
        )
        self._next_image = _next_id(self._images)
        self._next_annotation = _next_id(self._annotations)

    def lists(self) -> dict[str, list[Entry]]:
        """The lists as they have become."""
        return {
            "images": _without(self._images, self._dropped_images),
            "annotations": _without(self._annotations, self._dropped_annotations),
            "categories": self._categories,
        }

    def apply(self, edits: Edits) -> dict[Path, str]:
        """Change the entries; return the images whose label is refused, and why."""
        self._add_categories(edits)
        images = self._find_images(edits)
        ids = {self._id(number) for numbers in images.values() for number in numbers}
        annotations = self._find_annotations(ids)
        refused = {}
        for image, sample in edits.samples.items():
            numbers = images.get(image, [])
            found = [one for number in numbers for one in annotations.get(self._id(number), [])]
            try:
                self._change(numbers, found, sample)
            except DataError as error:
                refused[image] = str(error)
        return refused

    def _add_categories(self, edits: Edits) -> None:
        """Append all classes that the file lacks, if a sample needs one of them."""
        known = {entry.value["name"] for entry in self._categories}
        used = {one.label for one in edits.samples.values() if one and one.label is not None}
        missing = [name for name in edits.classes if name not in known]
        if used.intersection(missing):
            first = _next_id(self._categories)
            for number, name in enumerate(missing, start=first):
                self._categories.append(Entry({"id": number, "name": name, **self._keypoints()}))

    def _keypoints(self) -> dict[str, Any]:
        """The keys by which the first category with keypoints names them; none without any."""
        values = (entry.value for entry in self._categories)
        named: dict[str, Any] = next((one for one in values if one.get("keypoints")), {})
        return {key: named[key] for key in _KEYPOINT_KEYS if key in named}

    def _find_images(self, edits: Edits) -> dict[Path, list[int]]:
        names = names_of(edits.samples)
        found: dict[Path, list[int]] = {}
        for number, entry in enumerate(self._images):
            name = entry.value["file_name"]
            if may_name(name, names) and (image := self._finder.find(name)) in edits.samples:
                found.setdefault(image, []).append(number)
        return found

    def _find_annotations(self, ids: Iterable[Id]) -> dict[Id, list[int]]:
        found: dict[Id, list[int]] = {one: [] for one in ids}
        for number, entry in enumerate(self._annotations):
            if entry.value["image_id"] in found:
                found[entry.value["image_id"]].append(number)
        return found

    def _id(self, number: int) -> Id:
        one: Id = self._images[number].value["id"]
        return one

    def _change(
        self, images: Sequence[int], annotations: Sequence[int], sample: Sample | None
    ) -> None:
        """Give one image its new label.

        Args:
            images: Numbers of its entries in the list of images; the first one is kept, and those
                that have crowd annotations.
            annotations: Numbers of its annotations.
            sample: The new label; None to take the label away.

        Raises:
            DataError: If the file cannot hold the label.
        """
        own = [number for number in annotations if not self._value(number).get("iscrowd")]
        crowded = {self._value(number)["image_id"] for number in set(annotations) - set(own)}
        free = {number for number in images if self._id(number) not in crowded}
        if sample is None:
            self._dropped_images |= free
            self._dropped_annotations.update(own)
        elif sample.label is None:
            _check_absence(sample, crowded)
            self._dropped_images |= free - {self._put_image(images, sample)}
            self._dropped_annotations.update(own)
        else:
            category = self._category_of(sample)
            kept = self._put_image(images, sample)
            self._dropped_images |= free - {kept}
            self._put_annotation(own, sample, self._id(kept), category)

    def _category_of(self, sample: Sample) -> Id:
        for number, entry in enumerate(self._categories):
            if entry.value["name"] == sample.label:
                if sample.keypoints is not None and not entry.value.get("keypoints"):
                    value = entry.value | self._keypoints()
                    self._categories[number] = _changed(entry, value)
                one: Id = entry.value["id"]
                return one
        raise DataError(
            f"{sample.name}: class {sample.label!r} is not among the categories. Add it."
        )

    def _put_image(self, numbers: Sequence[int], sample: Sample) -> int:
        """Correct the entry of an image, or append one; return its number."""
        if not numbers:
            new_name(Path(sample.name), self._folder, self._finder)
            name = format_path(image_file(sample), self._folder)
            value = coco.image_entry(self._next_image, sample, name)
            if not self._states_splits:
                del value["split"]
            self._images.append(Entry(value))
            self._next_image += 1
            return len(self._images) - 1
        value = self._images[numbers[0]].value
        stated = (value.get("width"), value.get("height"))
        if all(stated) and stated != size_of(sample):
            width, height = size_of(sample)
            value = value | {"width": width, "height": height}
            self._images[numbers[0]] = _changed(self._images[numbers[0]], value)
        return numbers[0]

    def _put_annotation(
        self, own: Sequence[int], sample: Sample, image_id: Id, category: Id
    ) -> None:
        """Give one annotation of an image the new label, or append one, and drop the others."""
        new = coco.annotation_entry(self._next_annotation, sample, category)
        if not own:
            self._annotations.append(Entry(new | {"image_id": image_id}))
            self._next_annotation += 1
            return
        kept = own[closest([self._content(number) for number in own], sample)]
        self._dropped_annotations.update(number for number in own if number != kept)
        value = _relabelled(self._value(kept), new) | {"image_id": image_id}
        self._annotations[kept] = _changed(self._annotations[kept], value)

    def _value(self, number: int) -> dict[str, Any]:
        value: dict[str, Any] = self._annotations[number].value
        return value

    def _content(self, number: int) -> tuple[str | None, Box | None]:
        value = self._value(number)
        names = {entry.value["id"]: entry.value["name"] for entry in self._categories}
        box = coco.box_of([float(edge) for edge in value["bbox"]]) if value.get("bbox") else None
        return names.get(value["category_id"]), box


def _check_absence(sample: Sample, crowded: Collection[Id]) -> None:
    if crowded:
        raise DataError(
            f"{sample.name}: has a crowd annotation, so the label file cannot say that the image "
            "is without the subject. Draw a box, or remove the crowd annotation from the file."
        )


def _relabelled(old: dict[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """An annotation with another class, box and keypoints, and its other keys."""
    value = old | {"category_id": new["category_id"], "bbox": new["bbox"]}
    if "area" in old and not old.get("segmentation"):
        value["area"] = new["area"]
    if "keypoints" in new:
        value |= {key: new[key] for key in ("keypoints", "num_keypoints")}
    elif old.get("keypoints"):
        value |= {"keypoints": [0] * len(old["keypoints"]), "num_keypoints": 0}
    return value


def _changed(entry: Entry, value: Mapping[str, Any]) -> Entry:
    return replace(entry, value=value, text="")


def _next_id(entries: Iterable[Entry]) -> int:
    ids = [entry.value.get("id") for entry in entries]
    return 1 + max((one for one in ids if isinstance(one, int)), default=0)


def _without(entries: Sequence[Entry], dropped: Collection[int]) -> list[Entry]:
    return [entry for number, entry in enumerate(entries) if number not in dropped]
