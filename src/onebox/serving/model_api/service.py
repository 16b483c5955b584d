"""``onebox serve`` as one function: a model file and settings → a server that runs."""

import contextlib
import dataclasses
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from onebox.serving.model_api import application
from onebox.serving.model_api.memory import return_large_blocks
from onebox.serving.model_api.models import NOTHING, ModelHolder, Promised
from onebox.serving.model_api.predictor import Predictor, Work
from onebox.serving.web import server
from onebox.serving.web.hosts import AllowedHosts
from onebox.serving.web.limits import BODY_BYTES, Limits
from onebox.serving.web.security import Access, check_token
from onebox.serving.web.server import Ending


@dataclass(frozen=True, slots=True)
class Service:
    """The settings of a server.

    Attributes:
        work: How much is predicted at once.
        host: Where it listens.
        port: Likewise; 0 for any free port.
        token: What clients must show; None to ask for none.
        allowed_hosts: Further names of the server.
        usual: What predictions promise where a request asks for nothing.
        max_bytes: Most bytes of one body.
        ending: How it ends.
    """

    work: Work
    host: str = "127.0.0.1"
    port: int = 8000
    token: str | None = None
    allowed_hosts: tuple[str, ...] = ()
    usual: Promised = NOTHING
    max_bytes: int = BODY_BYTES
    ending: Ending = dataclasses.field(default_factory=Ending)


def run(file: Path, service: Service, on_start: Callable[[str], None]) -> None:
    """Serve a model until SIGTERM or Ctrl-C.

    Args:
        file: The model file.
        service: The settings.
        on_start: Called with the address once requests are accepted.

    Raises:
        ModelError: If the file cannot be loaded.
        OneboxError: If the port cannot be listened on, or a package is not installed.
        SettingError: If the settings do not fit each other, the host or the model.
    """
    if service.token is not None:
        check_token(service.token)
    server.check_exposure(service.host, service.token)
    with contextlib.closing(server.listen(service.host, service.port)) as listener:
        _serve(file, service, listener, on_start)


def _serve(
    file: Path, service: Service, listener: socket.socket, on_start: Callable[[str], None]
) -> None:
    return_large_blocks()
    models = ModelHolder(file, threads=service.work.threads, usual=service.usual)
    predictor = Predictor(models, service.work)
    models.reload_at_hangup()
    port = server.port_of(listener)
    hosts = AllowedHosts.of(service.host, port, service.allowed_hosts)
    app = application.build(
        predictor, Access(hosts, service.token, application.OPEN_PATHS), _limits(service)
    )
    server.run(
        app,
        listener,
        on_start=lambda: on_start(server.address_of(listener, service.host)),
        on_stop=predictor.drain,
        ending=service.ending,
    )


def _limits(service: Service) -> Limits:
    work = service.work
    return Limits(
        body_bytes=service.max_bytes,
        body_seconds=work.seconds,
        requests=work.threads + work.queue,
    )
