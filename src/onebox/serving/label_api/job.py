"""Serves the page of a session until the person stops it."""

import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from starlette.types import ASGIApp

from onebox.labelling.session import Session
from onebox.serving.label_api.app import label_routes
from onebox.serving.web.application import build
from onebox.serving.web.hosts import AllowedHosts
from onebox.serving.web.limits import Limits
from onebox.serving.web.security import Access, check_token
from onebox.serving.web.server import address_of, check_exposure, listen, port_of, run

_LIMITS = Limits(body_bytes=2**20)  # an action with a thousand keypoints takes 100 kB


@dataclass(frozen=True, slots=True)
class Place:
    """Where the page is, and who may open it.

    Attributes:
        host: What the server listens on.
        port: 0 for any free port.
        token: None to ask for none; only on this machine.
        allowed_hosts: Further names of the server, such as that of a reverse proxy.
    """

    host: str = "127.0.0.1"
    port: int = 0
    token: str | None = None
    allowed_hosts: Sequence[str] = ()

    def open(self) -> socket.socket:
        """Listen here.

        Raises:
            SettingError: If other machines could reach the server without a token, or the token is
                too short.
            OneboxError: If the port is in use.
        """
        check_exposure(self.host, self.token)
        if self.token is not None:
            check_token(self.token)
        return listen(self.host, self.port)


def serve(
    session: Session, place: Place, listener: socket.socket, on_start: Callable[[str], None]
) -> None:
    """Serve a session's page until SIGTERM or Ctrl-C.

    Args:
        session: The session; the caller closes it.
        place: Where the page is.
        listener: What `Place.open` returned.
        on_start: Called with the address of the page once it answers.
    """
    address = address_of(listener, place.host)
    run(page(session, place, listener), listener, on_start=lambda: on_start(address))


def page(session: Session, place: Place, listener: socket.socket) -> ASGIApp:
    """The application of a session's page."""
    hosts = AllowedHosts.of(place.host, port_of(listener), place.allowed_hosts)
    access = Access(hosts, place.token, script_prefix="/api/")
    return build(label_routes(session), access=access, limits=_LIMITS)
