"""``onebox serve`` as a process of its own: its address, its memory, what it writes, its end."""

import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

import psutil

_MB = 1e6
_START_S = 60.0
_ADDRESS = re.compile(r"http://127\.0\.0\.1:(\d+)")


class ServerProcess:
    """A server on a free port.

    Attributes:
        port: The port.
        log: The file with what it writes on standard error.
    """

    def __init__(self, model: Path, scratch: Path, *words: str) -> None:
        """Start it and wait for its address.

        Raises:
            RuntimeError: If it ends before it listens.
        """
        self.log = scratch / "server.log"
        output = scratch / "server.out"
        with output.open("wb") as out, self.log.open("wb") as err:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "onebox", "serve", str(model), "--port", "0", *words],
                stdout=out,
                stderr=err,
            )
        self._memory = psutil.Process(self._process.pid)
        self.port = self._wait_for_port(output)

    def _wait_for_port(self, output: Path) -> int:
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline and self._process.poll() is None:
            if found := _ADDRESS.search(output.read_text("utf-8")):
                return int(found[1])
            time.sleep(0.05)
        self._process.kill()
        raise RuntimeError(f"the server did not start: {self.log.read_text('utf-8')[-2000:]}")

    def __enter__(self) -> "ServerProcess":
        """Return the server itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End it as an orchestrator does."""
        self.stop()

    def stop(self) -> int:
        """End it by SIGTERM; its exit code."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        return self._process.wait(60)

    @property
    def is_running(self) -> bool:
        """Whether the process lives."""
        return self._process.poll() is None

    def memory_mb(self) -> float:
        """Resident memory, in MB."""
        return self._memory.memory_info().rss / _MB

    @contextmanager
    def sampled(self, every_s: float) -> Iterator[list[tuple[float, float]]]:
        """Seconds since the start and resident MB, read again and again."""
        readings: list[tuple[float, float]] = []
        done, start = threading.Event(), time.monotonic()

        def read() -> None:
            while not done.wait(every_s):
                readings.append((time.monotonic() - start, self.memory_mb()))

        thread = threading.Thread(target=read, daemon=True)
        thread.start()
        try:
            yield readings
        finally:
            done.set()
            thread.join()
