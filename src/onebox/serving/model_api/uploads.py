"""The images of one request: a raw body, or the files of a form. No file is written or opened."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from onebox.serving.web.problems import ProblemError

DEFAULT_NAME = "image"
"""Name of an image whose client gives none."""

MOST_FILES = 64
"""Most files in one form; not tuned."""

_MULTIPART = "multipart/form-data"
_BINARY = "application/octet-stream"
_MOST_FIELDS = 16  # not tuned; they are not read
_NAME_LENGTH = 255  # characters, the most that file systems take
_CHUNK = 2**16  # bytes parsed before other requests get their turn; not tuned


@dataclass(frozen=True, slots=True)
class Upload:
    """One image.

    Attributes:
        name: File name that the client gives: a text to repeat in the answer, never a path.
        content: The encoded image.
    """

    name: str
    content: bytes


class InMemoryParser(MultiPartParser):
    """Starlette's parser of forms, without its temporary files, and strict about the end."""

    spool_max_size = 0  # to a spooled file this means: never on the disk

    def __init__(self, headers: Headers, body: bytes) -> None:
        """Parse a body."""
        super().__init__(
            headers, self._in_turns(body), max_files=MOST_FILES, max_fields=_MOST_FIELDS
        )
        self._has_end = False

    def on_end(self) -> None:
        """Note the closing boundary: Starlette takes a form without, and loses a file."""
        self._has_end = True

    async def _in_turns(self, body: bytes) -> AsyncGenerator[bytes, None]:
        for start in range(0, len(body), _CHUNK):
            yield body[start : start + _CHUNK]
            await asyncio.sleep(0)
        if not self._has_end:
            raise MultiPartException("it is cut off: its closing boundary is missing")


def is_form(request: Request) -> bool:
    """Whether the body is a form with files, not an image."""
    return _media_type(request) == _MULTIPART


async def read_uploads(request: Request) -> list[Upload]:
    """The images of a request: one, or those of a form in their order.

    Raises:
        ProblemError: 415 if the body is neither, 400 if the form is damaged or has no files.
    """
    media_type = _media_type(request)
    if media_type == _MULTIPART:
        return await _read_form(request)
    if media_type.startswith("image/") or media_type in {_BINARY, ""}:
        return [Upload(_stated_name(request), await request.body())]
    raise ProblemError(
        415,
        f"The body is {media_type}; it must be an image (Content-Type: image/jpeg or the like) or "
        f"{_MULTIPART} with images as files. With curl, write -F image=@cat.jpg.",
    )


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _stated_name(request: Request) -> str:
    _, options = parse_options_header(request.headers.get("content-disposition"))
    return _name(options.get(b"filename", b"").decode("utf-8", "replace"))


def _name(stated: str | None) -> str:
    return (stated or DEFAULT_NAME)[:_NAME_LENGTH]


async def _read_form(request: Request) -> list[Upload]:
    form = await _parse_form(request)
    try:
        files = [part for _, part in form.multi_items() if isinstance(part, UploadFile)]
        uploads = [Upload(_form_name(file), await file.read()) for file in files]
    finally:
        await form.close()
    if not uploads:
        raise ProblemError(
            400, "The form has no file. Add images as files; with curl, write -F image=@cat.jpg."
        )
    return uploads


async def _parse_form(request: Request) -> FormData:
    try:
        return await InMemoryParser(request.headers, await request.body()).parse()
    except (MultiPartException, FormParserError) as error:  # the latter by older versions
        message = getattr(error, "message", str(error)).rstrip(".")
        raise ProblemError(400, f"The form cannot be read: {message}. Correct it.") from error
    except UnicodeError as error:  # of encodings without text, such as "undefined"
        raise _charset_problem(str(error)) from error


def _form_name(file: UploadFile) -> str:
    name = _name(file.filename)
    try:
        name.encode()
    except UnicodeEncodeError as error:  # UTF-7 and the like can spell halves of characters
        raise _charset_problem(f"{name!a} is no text") from error
    return name


def _charset_problem(message: str) -> ProblemError:
    return ProblemError(
        400,
        f"The form names a charset in which it cannot be read ({message}). Send its names in "
        "UTF-8, and leave charset out of its Content-Type.",
    )
