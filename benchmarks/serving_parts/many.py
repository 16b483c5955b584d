"""A process that runs `predict_many` on encoded images in memory, for a time, on request.

Reads a number of seconds from each line of standard input, and prints how many images it predicted
in how many seconds.
"""

import json
import sys
import time
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

import onebox


def main() -> None:
    model, threads, *files = sys.argv[1:]
    localizer = onebox.load(model, threads=1)
    images = [Path(file).read_bytes() for file in files]
    for line in sys.stdin:
        start = time.perf_counter()
        sources = _until(start + float(line), images)
        answers = localizer.predict_many(sources, threads=int(threads))
        count = sum(answer.unwrap() is not None for answer in answers)
        seconds = time.perf_counter() - start
        print(json.dumps({"images": count, "seconds": seconds}), flush=True)


def _until(deadline: float, images: list[bytes]) -> Iterator[bytes]:
    for image in cycle(images):
        if time.perf_counter() >= deadline:
            return
        yield image


if __name__ == "__main__":
    main()
