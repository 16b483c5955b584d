"""Names under which a server may be addressed: the check against DNS rebinding.

A page of a stranger can point a name of its own at this machine, and then reach a local server as
if it were its own. The browser still sends that name in the Host header, so a server that answers
only to its own names is out of reach. An address of numbers is no such name: nobody can point it
elsewhere.
"""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from onebox.errors import SettingError

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")
"""The names of this machine to itself, as a Host header has them."""

_HOST = re.compile(r"(?P<name>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?")


@dataclass(frozen=True, slots=True)
class Authority:
    """A host and a port, as the Host header or an origin names them.

    Attributes:
        name: In lower case; an IPv6 address is in brackets.
        port: The number as it is written; None if there is none.
    """

    name: str
    port: int | None

    @property
    def is_address(self) -> bool:
        """Whether the name is an IP address."""
        return is_address(self.name)


def parse_authority(text: str) -> Authority | None:
    """Read ``name`` or ``name:port``; None if it is neither.

    Examples:
        >>> parse_authority("LocalHost:8000")
        Authority(name='localhost', port=8000)
        >>> parse_authority("a/b") is None
        True
    """
    match = _HOST.fullmatch(text)
    if match is None:
        return None
    port = match["port"]
    return Authority(match["name"].lower().rstrip("."), None if port is None else int(port))


@lru_cache(1024)
def is_address(name: str) -> bool:
    """Whether a name is an IP address, in brackets or not."""
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


@lru_cache(1024)
def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server that listens on this host."""
    if host.lower() == "localhost":
        return True
    return is_address(host) and ipaddress.ip_address(host.strip("[]")).is_loopback


@lru_cache(1024)
def is_every_interface(host: str) -> bool:
    """Whether a server that listens on this host listens on all addresses of the machine."""
    return is_address(host) and ipaddress.ip_address(host.strip("[]")).is_unspecified


@dataclass(frozen=True, slots=True)
class AllowedHosts:
    """The names that a server answers to.

    Attributes:
        host: What it listens on.
        port: The port that it listens on.
        more: Further names, such as that of a reverse proxy, each with or without a port.
    """

    host: str
    port: int
    more: tuple[Authority, ...] = ()

    @classmethod
    def of(cls, host: str, port: int, more: Sequence[str] = ()) -> "AllowedHosts":
        """The names of a server, with further ones as a user writes them.

        Raises:
            SettingError: If one is no host name.
        """
        parsed = [parse_authority(name) for name in more]
        for name, authority in zip(more, parsed, strict=True):
            if authority is None:
                raise SettingError(
                    f"--allowed-host '{name}' is not a host name, with or without a port. Write it "
                    "as example.org or example.org:8000, without http://."
                )
        return cls(host, port, tuple(each for each in parsed if each is not None))

    def has(self, asked: Authority) -> bool:
        """Whether a server answers to a name."""
        if any(asked.name == each.name and each.port in {None, asked.port} for each in self.more):
            return True
        if self._is_everywhere:
            # A container's port may be another one outside, so the port says nothing.
            return asked.is_address or asked.name == "localhost"
        names = {self._bracketed, *LOOPBACK_NAMES} if is_loopback(self.host) else {self._bracketed}
        return asked.name in names and (80 if asked.port is None else asked.port) == self.port

    @property
    def _bracketed(self) -> str:
        host = self.host.lower()
        return f"[{host}]" if ":" in host and not host.startswith("[") else host

    @property
    def _is_everywhere(self) -> bool:
        return is_every_interface(self.host)
