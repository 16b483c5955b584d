"""Hostile requests by seed: the statuses, whether the server lives, and its memory."""

import random
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from inference_parts.claims import Claim, PartResult, Row
from serving_parts import images, raw_http
from serving_parts.attacks import ATTACKS, Attack
from serving_parts.raw_http import Exchange
from serving_parts.server_process import ServerProcess

_AT_ONCE = 16
_TIMEOUT_S = 5  # of the server, so that slow requests do not take half a minute each
_FRIENDLY = 200  # valid requests before memory is read, and between its readings
_QUARTERS = 4
_MOST_GROWTH_MB = 30.0

Plan = Sequence[tuple[str, Exchange]]


def show(model: Path, count: int, seed: int, scratch: Path) -> PartResult:
    """Send the requests, in an order by the seed, several at once."""
    plan = draw(count, seed, model.stem)
    got: list[str] = []
    with ServerProcess(model, scratch, "--timeout", str(_TIMEOUT_S)) as server:
        refused = _befriend(server.port, seed)
        memory = [server.memory_mb()]
        for quarter in range(_QUARTERS):
            part = plan[quarter * len(plan) // _QUARTERS : (quarter + 1) * len(plan) // _QUARTERS]
            got += _run(part, server.port)
            refused += _befriend(server.port, seed + quarter)
            memory.append(server.memory_mb())
        is_alive = server.is_running and refused == 0
        ended_with = server.stop()
        log = server.log.read_text("utf-8", "replace")
    rows = _rows(plan, got)
    claims = [
        Claim("requests with another status than expected", _surprises(rows), 0),
        Claim("valid requests between them that were not answered", refused, 0),
        Claim("1 if the server did not live to the end", float(not is_alive), 0),
        Claim("exit code after SIGTERM", ended_with, 0),
        Claim("tracebacks in the log", log.count("Traceback"), 0),
        Claim("MB, growth in the second half", memory[-1] - memory[2], _MOST_GROWTH_MB),
    ]
    raw = {"memory_mb": memory, "seed": seed, "log": log[-5000:], "got": _unexpected(plan, got)}
    return PartResult(rows, claims, raw)


def draw(count: int, seed: int, model_name: str) -> Plan:
    """Requests of all classes, by weight, in random order."""
    rng = random.Random(seed)
    classes, weights = list(ATTACKS), [attack.weight for attack in ATTACKS.values()]
    drawn = rng.choices(classes, weights, k=max(0, count - len(classes)))
    names = [*classes, *drawn]  # each class at least once
    rng.shuffle(names)
    return [(name, _named(ATTACKS[name].make(rng), model_name)) for name in names]


def _named(exchange: Exchange, model_name: str) -> Exchange:
    """The same for a model of this name."""
    pieces = [piece.replace(b"/NAME/", f"/{model_name}/".encode()) for piece in exchange.pieces]
    return Exchange(pieces, exchange.pause_s, exchange.is_cut, exchange.ends_writing)


def _run(plan: Plan, port: int) -> list[str]:
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(lambda each: raw_http.run(each[1], port), plan))


def _befriend(port: int, seed: int) -> int:
    """Send valid requests; how many were not answered with 200."""
    rng = random.Random(f"friendly {seed}")
    sent = raw_http.request(body=images.jpeg(rng), headers={"Content-Type": "image/jpeg"})
    time.sleep(1)  # what was cut off may still be in work
    statuses = [raw_http.run(Exchange([sent]), port) for _ in range(_FRIENDLY)]
    return sum(status != "200" for status in statuses)


def _rows(plan: Plan, got: Sequence[str]) -> list[Row]:
    found: dict[str, Counter[str]] = {name: Counter() for name in ATTACKS}
    for (name, _), status in zip(plan, got, strict=True):
        found[name][status] += 1
    return [_row(name, attack, found[name]) for name, attack in ATTACKS.items() if found[name]]


def _row(name: str, attack: Attack, statuses: Counter[str]) -> Row:
    others = sum(count for status, count in statuses.items() if status not in attack.expected)
    return {
        "class": name,
        "count": statuses.total(),
        "expected": " ".join(sorted(attack.expected)),
        "got": ", ".join(f"{status} x{count}" for status, count in sorted(statuses.items())),
        "others": others,
    }


def _surprises(rows: Sequence[Row]) -> float:
    return sum(float(row["others"]) for row in rows)


def _unexpected(plan: Plan, got: Sequence[str]) -> list[Mapping[str, str]]:
    """The first bytes of requests with another status than expected."""
    return [
        {"class": name, "status": status, "sent": repr(b"".join(exchange.pieces)[:300])}
        for (name, exchange), status in zip(plan, got, strict=True)
        if status not in ATTACKS[name].expected
    ]
