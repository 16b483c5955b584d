"""``onebox serve``."""

import logging
from typing import Annotated

import typer

from onebox.cli.console import print_note
from onebox.cli.options import ModelFile, Threads
from onebox.optional import require
from onebox.threads import resolve_threads

_PACKAGES = ("starlette", "uvicorn", "httptools", "python_multipart")


def serve(
    model: ModelFile,
    host: Annotated[
        str,
        typer.Option(
            help="Address to listen on: this machine alone by default; any other needs a token."
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")
    ] = 8000,
    token: Annotated[
        str | None,
        typer.Option(
            envvar="ONEBOX_TOKEN",
            show_envvar=True,
            help="What clients must show. Other users of this machine see command lines, so set "
            "the environment variable instead.",
        ),
    ] = None,
    allowed_host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A further name of this server, such as that of a reverse proxy; repeat it for "
            "several.",
        ),
    ] = None,
    coverage: Annotated[
        float | None,
        typer.Option(metavar="C", help="As in predict, where a request asks for nothing else."),
    ] = None,
    max_risk: Annotated[
        float | None,
        typer.Option(metavar="R", help="As in predict, where a request asks for nothing else."),
    ] = None,
    threads: Threads = None,
    max_queue: Annotated[int, typer.Option(min=0, help="Most images that wait for a thread.")] = 64,
    max_bytes: Annotated[int, typer.Option(min=1, help="Most bytes of a request.")] = 2**25,
    max_pixels: Annotated[int, typer.Option(min=1, help="Most pixels of an image.")] = 100_000_000,
    timeout: Annotated[
        float,
        typer.Option(
            min=0.1,
            metavar="SECONDS",
            help="Time in which a request must arrive, and again in which it is answered.",
        ),
    ] = 30.0,
    drain_delay: Annotated[
        float,
        typer.Option(
            min=0,
            metavar="SECONDS",
            help="Time after SIGTERM in which requests are still accepted while the server says "
            "that it is not ready.",
        ),
    ] = 0.0,
) -> None:
    """Answer requests for predictions over HTTP.

    Prints the address once it listens; a browser finds a page there to try the model. Ctrl-C or
    SIGTERM ends it after the requests in work. If the model file is replaced, the new one is
    loaded while the old one serves.
    """
    for package in _PACKAGES:
        require(package, extra="serve")
    from onebox.serving.model_api import service
    from onebox.serving.model_api.models import Promised
    from onebox.serving.model_api.predictor import Work
    from onebox.serving.web.server import Ending

    work = Work(resolve_threads(threads), max_queue, timeout, max_pixels)
    settings = service.Service(
        work,
        host=host,
        port=port,
        token=token,
        allowed_hosts=tuple(allowed_host or ()),
        usual=Promised(coverage, max_risk),
        max_bytes=max_bytes,
        ending=Ending(delay_s=drain_delay),
    )
    _note_events()
    service.run(model, settings, on_start=typer.echo)


class _Notes(logging.Handler):
    """Prints what the server logs as notes on standard error."""

    def emit(self, record: logging.LogRecord) -> None:
        print_note(record.getMessage())


def _note_events() -> None:
    logger = logging.getLogger("onebox.serving")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.handlers = [_Notes()]
