"""The parser of HTTP/1.1: httptools', to which Upgrade is a header like any other.

A server that speaks one protocol ignores Upgrade (RFC 9110, section 7.8). httptools instead skips
the body of such a request: the request would be answered without it, and the body be read as the
next request. So such a request is read a second time, without that header.
"""

from collections.abc import Callable

from httptools import HttpParserUpgrade, HttpRequestParser


class UpgradeIgnoringParser(HttpRequestParser):
    """A parser for a protocol that leaves out what `should_upgrade` marks."""

    def __init__(self, protocol: object, plain_head: Callable[[], bytes]) -> None:
        """Parse for a protocol.

        Args:
            protocol: What httptools calls.
            plain_head: Gives the request line and the headers of the request that was left out,
                without Upgrade; empty if nothing more is to be read.
        """
        self._protocol = protocol
        self._plain_head = plain_head
        self._start()

    def feed_data(self, data: bytes) -> None:  # type: ignore[override]  # connections give bytes
        """Parse data."""
        rest = memoryview(data)
        while rest:
            try:
                super().feed_data(rest)
            except HttpParserUpgrade as upgrade:
                head = self._plain_head()
                rest = rest[upgrade.args[0] :] if head else rest[:0]
                self._start()
                super().feed_data(head)
            else:
                return

    def _start(self) -> None:
        """Forget what was read; after "Connection: close", httptools would read nothing more."""
        super().__init__(self._protocol)
        # As uvicorn sets it, for requests that were sent before the answer said "close".
        self.set_dangerous_leniencies(lenient_data_after_close=True)
