"""One pass over a folder of JPEGs, by `predict_many` or by a loop that only decodes.

    python passes.py onebox|decode --model FILE --threads N --cores 0 1

Reads names of folders from standard input, one per line, and answers each with a line of JSON:
number of images and seconds.
"""

import argparse
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import simplejpeg

import onebox
from onebox import images, jpegs
from onebox.refinement import decoded_size

Pass = Callable[[list[Path]], int]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=_KINDS)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--cores", type=int, nargs="+", required=True)
    options = parser.parse_args()
    os.sched_setaffinity(0, options.cores)  # threads that are started later inherit this
    one_pass = _KINDS[options.what](options.model, options.threads)
    for line in sys.stdin:
        start = time.perf_counter()
        count = one_pass(images.find_images(Path(line.rstrip("\n"))))
        spent = time.perf_counter() - start
        print(json.dumps({"images": count, "seconds": spent}), flush=True)


def _predicting(model: Path, threads: int) -> Pass:
    localizer = onebox.load(model, threads=threads)

    def predict(files: list[Path]) -> int:
        return sum(answer.unwrap() is not None for answer in localizer.predict_many(files))

    return predict


def _decoding(model: Path, threads: int) -> Pass:
    """Threads that decode one file after another, as small as the model allows, and drop it."""
    facts = onebox.load(model, threads=1).card
    at_least = decoded_size(facts.size, facts.refine_margin)

    def work(files: Iterator[Path], done: list[int]) -> None:
        done.append(sum(1 for file in files if _decode(file, at_least).size))

    def decode(files: list[Path]) -> int:
        shared, done = iter(files), list[int]()
        workers = [threading.Thread(target=work, args=(shared, done)) for _ in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        return sum(done)

    return decode


def _decode(file: Path, at_least: int) -> onebox.images.Pixels:
    data = file.read_bytes()
    height, width, _, _ = simplejpeg.decode_jpeg_header(data)
    shrink = jpegs.shrink_for((width, height), at_least, 1)
    minimum = {"min_height": -(-height // shrink), "min_width": -(-width // shrink)}
    return simplejpeg.decode_jpeg(data, **minimum, min_factor=float(shrink), strict=True)


_KINDS: dict[str, Callable[[Path, int], Pass]] = {"onebox": _predicting, "decode": _decoding}


if __name__ == "__main__":
    main()
