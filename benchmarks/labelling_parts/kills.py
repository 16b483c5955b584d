"""kill -9 of the server while labels come in: nothing acknowledged is lost, the file is whole."""

import random
import shutil
import tempfile
import threading
import uuid
from pathlib import Path
from typing import Any

import httpx
from labelling_parts.servers import Server
from PIL import Image

import onebox
from onebox.labelling.records import image_id

_SIDE = 64
_LONGEST_S = 1.5  # from the first action to the kill; the file is written within a second


def kill_often(kills: int, images: int, seed: int) -> dict[str, Any]:
    """Kill a server at random moments, each time after a start in the same folder.

    Returns:
        Counts of kills, acknowledged actions, lost actions, and files that were not whole.
    """
    random_numbers = random.Random(seed)
    folder = Path(tempfile.mkdtemp())
    _make_images(folder, images, random_numbers)
    acknowledged: dict[str, Any] = {}
    counts = {"kills": 0, "acknowledged": 0, "lost": 0, "files_broken": 0}
    for _ in range(kills):
        server = Server(folder, classes=("disc",))
        counts["lost"] += _count_lost(server, acknowledged)
        before = counts["acknowledged"]
        counts["acknowledged"] += _label_until_killed(server, acknowledged, random_numbers)
        counts["kills"] += 1
        counts["files_broken"] += not _is_whole(folder / "labels.csv")
        print(counts["kills"], counts["acknowledged"] - before, "actions", flush=True)
    server = Server(folder, classes=("disc",))
    counts["lost"] += _count_lost(server, acknowledged)
    server.stop()
    counts["differs_in_file"] = _count_differing(folder, acknowledged)
    shutil.rmtree(folder)
    return counts


def _make_images(folder: Path, count: int, random_numbers: random.Random) -> None:
    for number in range(count):
        colour = tuple(random_numbers.randrange(256) for _ in range(3))
        Image.new("RGB", (_SIDE, _SIDE), colour).save(folder / f"{number:03}.png")


def _label_until_killed(
    server: Server, acknowledged: dict[str, Any], random_numbers: random.Random
) -> int:
    """Send actions in a row until the server is gone; count those that it acknowledged."""
    entries = {each["id"]: each for each in server.get("api/images?count=200")["images"]}
    killer = threading.Timer(random_numbers.uniform(0.0, _LONGEST_S), server.process.kill)
    killer.start()
    done = 0
    while True:
        image = random_numbers.choice(list(entries))
        action = _action(entries[image], random_numbers)
        try:
            answer = server.post("api/actions", action)
        except httpx.HTTPError:
            # It may have been journalled and not acknowledged: both outcomes are right.
            acknowledged.setdefault("in flight", {})[image] = action["label"]
            killer.join()
            server.process.wait()
            return done
        answer.raise_for_status()
        entries[image] = answer.json()["entry"]
        acknowledged.get("in flight", {}).pop(image, None)
        acknowledged[image] = action["label"]
        done += 1


def _action(entry: dict[str, Any], random_numbers: random.Random) -> dict[str, Any]:
    left, top = (random_numbers.randrange(_SIDE // 2) for _ in range(2))
    box = [left, top, left + 1 + random_numbers.randrange(_SIDE // 2 - 1), top + _SIDE // 2]
    labels = [
        {"label": "disc", "box": box, "keypoints": None},
        {"label": None, "box": None, "keypoints": None},
    ]
    return {
        "id": uuid.uuid4().hex,
        "image": entry["id"],
        "revision": entry["revision"],
        "label": labels[random_numbers.random() < 0.2],
        "how": "drawn",
        "seconds": 1.0,
        "tab": "kills",
    }


def _count_lost(server: Server, acknowledged: dict[str, Any]) -> int:
    """Number of images whose label is neither the acknowledged one nor one in flight."""
    in_flight = acknowledged.get("in flight", {})
    entries = server.get("api/images?count=200")["images"]
    lost = 0
    for entry in entries:
        wanted = acknowledged.get(entry["id"])
        possible = [wanted, in_flight.get(entry["id"], wanted)]
        lost += entry["label"] not in possible
        if entry["id"] in in_flight:
            acknowledged[entry["id"]] = entry["label"]
    acknowledged["in flight"] = {}
    return lost


def _is_whole(file: Path) -> bool:
    if not file.exists():
        return True  # killed before the first write
    try:
        onebox.read(file)
    except onebox.OneboxError as error:
        print(error)
        return False
    return True


def _count_differing(folder: Path, acknowledged: dict[str, Any]) -> int:
    """Number of images whose label in the file differs from the last acknowledged one."""
    known = {key: label for key, label in acknowledged.items() if key != "in flight" and label}
    read = {
        image_id(Path(sample.name).name): (sample.label, sample.box)
        for sample in onebox.read(folder / "labels.csv")
    }
    wanted = {
        key: (label["label"], label["box"] and tuple(map(float, label["box"])))
        for key, label in known.items()
    }
    return sum(read.get(key) != one for key, one in wanted.items()) + len(set(read) - set(wanted))
