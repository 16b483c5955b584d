"""The lists of images in ``ImageSets/Main``, edited."""

from collections.abc import Set
from pathlib import Path

from onebox.formats import voc
from onebox.formats.edits import Replacement
from onebox.structures import Split


class SplitLists:
    """The lists of the splits of a folder of XML files; none if there are no lists."""

    def __init__(self, folder: Path, stems: Set[str]) -> None:
        """Read the lists.

        Args:
            folder: The folder of the XML files.
            stems: Stems of the XML files; it may grow. The methods take stems that are in it.

        Raises:
            DataError: If a list is not UTF-8 text.
        """
        self._stems = stems
        self._files = voc.list_files(folder)
        self._old = {file: file.read_bytes() for file in self._files.values()}
        self._new = {file: voc.decode_list(file, content) for file, content in self._old.items()}
        self._lines: dict[str, set[str]] = {}  # all that lines may name → these lines
        for text in self._new.values():
            self._note_lines(text)
        self._are_read = bool(self._lines)  # reading takes empty lists for none
        self._are_new = not stems
        self._images: dict[Path, set[Path]] = {}  # list → images whose names it gets or loses

    def leave_out(self, stem: str) -> bool:
        """Whether reading leaves an XML file out, for it is in no list."""
        return self._are_read and not self._naming(stem)

    def add(self, stem: str, split: Split, image: Path) -> None:
        """Add the name of an image's XML file to a list, unless it is in one or none is read."""
        if not self._files or self._naming(stem) or not (self._are_read or self._are_new):
            return
        beside = next(iter(self._files.values()))
        file = self._files.setdefault(split, beside.with_name(f"{split}.txt"))
        text = self._new.get(file, "")
        line_end = "\r\n" if "\r\n" in text else "\n"
        ended = text if not text or text.endswith("\n") else text + line_end
        self._set(file, f"{ended}{stem}{line_end}", image)
        self._note_lines(stem)

    def remove(self, stem: str, image: Path) -> None:
        """Remove the name of an image's XML file from all lists."""
        gone = self._naming(stem)
        if not gone:
            return
        for file, text in self._new.items():
            lines = text.splitlines(keepends=True)
            self._set(file, "".join(line for line in lines if line.strip() not in gone), image)
        for line in gone:
            for one in voc.stems_in(line):
                self._lines[one].discard(line)

    def replacements(self) -> list[Replacement]:
        """The lists that changed."""
        made = [
            Replacement(
                file, self._old.get(file), text.encode(), frozenset(self._images.get(file, ()))
            )
            for file, text in self._new.items()
        ]
        return [one for one in made if one.old != one.new]

    def _set(self, file: Path, text: str, image: Path) -> None:
        if text != self._new.get(file):
            self._new[file] = text
            self._images.setdefault(file, set()).add(image)

    def _note_lines(self, text: str) -> None:
        for line in {one.strip() for one in text.splitlines()}:
            stems = voc.stems_in(line)
            if stems[1]:  # not a blank line
                for stem in stems:
                    self._lines.setdefault(stem, set()).add(line)

    def _naming(self, stem: str) -> set[str]:
        """The lines that name an XML file, which may have been made after them."""
        lines = self._lines.get(stem, ())
        return {line for line in lines if voc.listed_stem(line, self._stems) == stem}
