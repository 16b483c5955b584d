"""The columns of a Parquet file of labelled images: which it has, and which onebox writes.

The class names of the Hugging Face ``datasets`` library stand in the metadata of a table, as does
what tells it that a column holds images.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from onebox.errors import DataError, shorten
from onebox.formats.coco import box_of
from onebox.formats.csv import CORNERS, NAMELESS
from onebox.formats.rows import Row
from onebox.formats.shard_labels import numbers_of, text_of
from onebox.packed.parquet_shards import PATH, Columns

_HUGGING_FACE = b"huggingface"
_CATEGORIES = ("category", "categories", "label", "labels", "category_id")
_OTHERS = ("split", "keypoints", "width", "height")
_NUMBERS = ("int", "uint", "float", "double", "halffloat", "null")
_TEXTS = ("string", "large_string", "string_view", "dictionary", "null")


@dataclass(frozen=True, slots=True)
class ObjectColumns:
    """A column of boxes, several of which an image may have.

    Attributes:
        name: Of the column.
        category: The field of the classes; None if there is none.
        names: Class names, if the classes are numbers.
    """

    name: str
    category: str | None
    names: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class LabelColumns:
    """The columns of a table that are read for its labels.

    Attributes:
        read: All of them, without the content of images.
        image: Where the images and their names are.
        label: The column of classes; None if there is none.
        names: Class names, if the classes are numbers.
        objects: The column of boxes; None if corners have columns of their own.
    """

    read: tuple[str, ...]
    image: Columns
    label: str | None = None
    names: tuple[str, ...] | None = None
    objects: ObjectColumns | None = None

    @property
    def declared(self) -> tuple[str, ...] | None:
        """The class names that the table declares; None if it declares none."""
        return self.names if self.objects is None else self.objects.names

    def named(self, value: object) -> object:
        """A class as it is named, given as a name or a number."""
        return name_of_class(value, self.names)

    def name_of(self, cells: Mapping[str, Any]) -> str | None:
        """The name of an image, if the row has one."""
        path = (cells.get(self.image.image) or {}).get(PATH) if self.image.is_structure else None
        name = path or (cells.get(self.image.name) if self.image.name else None)
        return None if name is None else str(name)


def find_label_columns(schema: Any, image: Columns, title: str) -> LabelColumns:  # noqa: ANN401
    """Find the columns of labels by the names and types of an Arrow schema.

    Raises:
        DataError: If there are none, or one has another type.
    """
    kinds = {each.name: str(each.type) for each in schema}
    features = _features(schema)
    label = "label" if "label" in kinds and image.name != "label" else None
    objects = None
    if "objects" in kinds and not set(CORNERS) <= kinds.keys():
        objects = _object_columns(schema.field("objects").type, features, title)
    elif not set(CORNERS) <= kinds.keys():
        raise DataError(
            f"{title}: has no columns {', '.join(CORNERS)}, and no column objects; its columns are "
            f"{shorten(schema.names)}. Name the columns of the box so."
        )
    _check_kinds(kinds, title, is_cornered=objects is None)
    labelled = [label] if label and objects is None else []
    boxes = list(CORNERS) if objects is None else [objects.name]
    named = [image.name] if image.name else []
    read = [*labelled, *boxes, *(name for name in _OTHERS if name in kinds), *named]
    if image.is_structure and PATH in _fields(schema.field(image.image).type):
        read.append(f"{image.image}.{PATH}")
    names = class_names(features.get("label"))
    return LabelColumns(tuple(dict.fromkeys(read)), image, label, names, objects)


def subjects_of(row: Row, cell: Any, columns: ObjectColumns) -> Iterator[Row]:  # noqa: ANN401
    """A row for each object of an image; the row itself if it has none.

    Raises:
        DataError: If a box or a class is wrong.
    """
    found = list(_objects(cell, columns))
    if not found:
        yield row
    for bbox, category in found:
        label = name_of_class(category, columns.names) if columns.category else NAMELESS
        box = box_of(numbers_of("bbox", bbox))
        yield replace(row, label=text_of("category", label), box=box)


def name_of_class(value: object, names: Sequence[str] | None) -> object:
    """A class as it is named.

    Raises:
        DataError: If it is a number without a name.
    """
    if not isinstance(value, int):
        return value
    if names is None:
        return str(value)
    if 0 <= value < len(names):
        return names[value]
    raise DataError(f"class {value} has no name; {len(names)} are named. Correct it.")


def class_names(feature: Any) -> tuple[str, ...] | None:  # noqa: ANN401 - JSON
    """The names of the first ``ClassLabel`` in a feature of ``datasets``; None without one."""
    if isinstance(feature, dict):
        if feature.get("_type") == "ClassLabel":
            return tuple(map(str, feature.get("names") or ())) or None
        feature = list(feature.values())
    if isinstance(feature, list):
        return next((names for each in feature if (names := class_names(each))), None)
    return None


def schema(arrow: Any, metadata: Mapping[bytes, bytes]) -> Any:  # noqa: ANN401
    """The Arrow schema of the tables that onebox writes."""
    number, text, whole = arrow.float64(), arrow.string(), arrow.int32()
    image = arrow.struct([("bytes", arrow.binary()), (PATH, text)])
    columns = {
        "image": (image, {"_type": "Image"}),
        "label": (text, _value("string")),
        **dict.fromkeys(CORNERS, (number, _value("float64"))),
        "split": (text, _value("string")),
        "keypoints": (arrow.list_(number), {"feature": _value("float64"), "_type": "Sequence"}),
        "width": (whole, _value("int32")),
        "height": (whole, _value("int32")),
    }
    features = {name: feature for name, (_, feature) in columns.items()}
    shown = {_HUGGING_FACE: json.dumps({"info": {"features": features}}).encode()}
    fields = [(name, kind) for name, (kind, _) in columns.items()]
    return arrow.schema(fields, metadata={**metadata, **shown})


def _value(kind: str) -> dict[str, str]:
    return {"dtype": kind, "_type": "Value"}


def _features(schema: Any) -> dict[str, Any]:  # noqa: ANN401
    """The features that ``datasets`` keeps in the metadata of a table; none without them."""
    try:
        content = json.loads((schema.metadata or {}).get(_HUGGING_FACE, b"{}"))
        features = content["info"]["features"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}
    return features if isinstance(features, dict) else {}


def _object_columns(kind: Any, features: Mapping[str, Any], title: str) -> ObjectColumns:  # noqa: ANN401
    inner = kind.value_type if str(kind).startswith(("list", "large_list")) else kind
    fields = _fields(inner)
    if "bbox" not in fields:
        raise DataError(
            f"{title}: column objects has no field bbox (it is {kind}). Write the boxes as "
            "[x, y, width, height] into that field."
        )
    category = next((name for name in _CATEGORIES if name in fields), None)
    names = class_names(_feature_of(features.get("objects"), category))
    return ObjectColumns("objects", category, names)


def _feature_of(feature: Any, field: str | None) -> Any:  # noqa: ANN401 - JSON
    """The feature of a field of a structure, or of a list of structures; None without one."""
    if isinstance(feature, list):
        feature = next(iter(feature), None)
    if not isinstance(feature, dict):
        return None
    return feature[field] if field in feature else _feature_of(feature.get("feature"), field)


def _objects(cell: Any, columns: ObjectColumns) -> Iterator[tuple[Any, Any]]:  # noqa: ANN401
    """Box and class of each object: of a list of structures, or of a structure of lists.

    Raises:
        DataError: If there are more boxes than classes, or fewer.
    """
    if isinstance(cell, list):
        yield from ((one["bbox"], one.get(columns.category)) for one in cell if one is not None)
    elif cell is not None:
        boxes = cell["bbox"] or []
        classes = cell[columns.category] if columns.category else [None] * len(boxes)
        if len(boxes) != len(classes or []):
            raise DataError(
                f"objects has {len(boxes)} boxes and {len(classes or [])} classes. Correct it."
            )
        yield from zip(boxes, classes or [], strict=True)


def _fields(kind: Any) -> list[str]:  # noqa: ANN401
    if not str(kind).startswith("struct"):
        return []
    return [kind.field(index).name for index in range(kind.num_fields)]


def _check_kinds(kinds: Mapping[str, str], title: str, *, is_cornered: bool) -> None:
    wanted: dict[str, tuple[tuple[str, ...], str]] = {}
    numbers = [*(CORNERS if is_cornered else ()), "width", "height"]
    wanted |= {name: (_NUMBERS, "numbers") for name in numbers if name in kinds}
    wanted |= {"split": (_TEXTS, "texts")} if "split" in kinds else {}
    if is_cornered and "label" in kinds:
        wanted["label"] = ((*_TEXTS, "int", "uint"), "texts or numbers of classes")
    for name, (allowed, words) in wanted.items():
        if not kinds[name].startswith(allowed):
            raise DataError(
                f"{title}: column {name} has the type {kinds[name]}; {words} are needed. Write it "
                "with that type."
            )
