"""Classes of hostile requests, each with the statuses that are right for it."""

import json
import random
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from serving_parts import images
from serving_parts.raw_http import SILENT, Exchange, request

_INFER = "/v2/models/NAME/infer"
_JPEG = {"Content-Type": "image/jpeg"}
_PATHS = (
    *("../../etc/passwd", "/etc/passwd", "..\\..\\windows\\win.ini", "C:\\boot.ini"),
    *("....//....//etc/passwd", "a\0b.jpg", "file:///etc/passwd", "$(id)", "%2e%2e/%2e%2e/x"),
)
_ENCODED_PATHS = (
    *("..", "%2e%2e", "%2e%2e%2fetc", "..%2f..%2fetc%2fpasswd", "..%5c..", "%00", "%c0%ae%c0%ae"),
    *("..;", "%252e%252e"),
)


@dataclass(frozen=True, slots=True)
class Attack:
    """One class.

    Attributes:
        make: Draws one request.
        expected: The statuses that are right.
        weight: How many there are, relative to other classes.
    """

    make: Callable[[random.Random], Exchange]
    expected: frozenset[str]
    weight: float = 1.0


def _once(data: bytes) -> Exchange:
    return Exchange([data])


def _image(body: bytes) -> Exchange:
    return _once(request(body=body, headers=_JPEG))


def _cut_body(rng: random.Random) -> Exchange:
    whole = request(body=images.jpeg(rng), headers=_JPEG)
    return Exchange([whole[: rng.randrange(200, len(whole) - 1)]], is_cut=True)


def _half_closed(rng: random.Random) -> Exchange:
    whole = request(body=images.jpeg(rng), headers=_JPEG)
    return Exchange([whole[: rng.randrange(200, len(whole) - 1)]], ends_writing=True)


def _slow_body(rng: random.Random) -> Exchange:
    whole = request(body=images.jpeg(rng), headers=_JPEG)
    pieces = [whole[:200], *(whole[at : at + 1] for at in range(200, 320))]
    return Exchange(pieces, pause_s=0.2)


def _slow_headers(rng: random.Random) -> Exchange:
    start = f"GET /model HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nX-{rng.randrange(10**6)}: ".encode()
    return Exchange([start, *[b"a"] * 100], pause_s=0.2)


def _huge_headers(rng: random.Random) -> Exchange:
    size = rng.choice([20_000, 60_000, 200_000, 2_000_000])
    headers = {"X-Long": "a" * size}
    if rng.random() < 0.5:
        headers = {f"X-{number}": "a" * 100 for number in range(size // 100)}
    return _once(request("GET", "/model", headers=headers))


def _long_path(rng: random.Random) -> Exchange:
    return _once(request("GET", "/" + "a" * rng.choice([17_000, 40_000])))


def _wrong_type(rng: random.Random) -> Exchange:
    kinds = ["text/html", "application/json", "application/x-www-form-urlencoded", "video/mp4"]
    body = json.dumps({"image": rng.choice(_PATHS)}).encode()
    return _once(request(body=body, headers={"Content-Type": rng.choice(kinds)}))


def _form(parts: bytes, boundary: str = "line") -> Exchange:
    kind = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    return _once(request(body=parts, headers=kind))


def _part(body: bytes, name: str = "a.jpg") -> bytes:
    head = f'--line\r\nContent-Disposition: form-data; name="f"; filename="{name}"\r\n\r\n'
    return head.encode("latin-1") + body + b"\r\n"


def _file_name(rng: random.Random) -> Exchange:
    name = rng.choice([path for path in _PATHS if "\0" not in path]).replace("\\", "\\\\")
    return _form(_part(images.jpeg(rng), name) + b"--line--\r\n")


def _broken_form(rng: random.Random) -> Exchange:
    whole = _part(images.jpeg(rng))
    return rng.choice(
        [
            _form(whole),  # without its end
            _form(whole + b"--line--\r\n", boundary="other"),
            _form(b"--line\r\nno header\r\n\r\nx\r\n--line--\r\n"),
            _form(b"--line--\r\n"),
            _form(rng.randbytes(500)),
            _form(
                b"--line\r\nContent-Disposition: " + b"x" * 10_000 + b"\r\n\r\nx\r\n--line--\r\n"
            ),
            _once(request(body=whole, headers={"Content-Type": "multipart/form-data"})),
        ]
    )


def _many_parts(rng: random.Random) -> Exchange:
    return _form(_part(b"x") * rng.randrange(65, 3000) + b"--line--\r\n")


def _file_path(rng: random.Random) -> Exchange:
    start = rng.choice(["/assets/", "/", "//", "/v2/", "/assets/../"])
    return _once(request("GET", start + rng.choice(_ENCODED_PATHS) + "/etc/passwd"))


def _model_name(rng: random.Random) -> Exchange:
    body = json.dumps({"inputs": []}).encode()
    return _once(request(path=f"/v2/models/{rng.choice(_ENCODED_PATHS)}/infer", body=body))


def _wrong_host(rng: random.Random) -> Exchange:
    hosts = ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "localhost.evil:80"]
    return _once(request("GET", rng.choice(["/", "/model"]), host=rng.choice(hosts)))


def _broken_host(rng: random.Random) -> Exchange:
    two = {"X-A": "b\r\nHost: evil.example"}
    broken = ["", "a b", "127.0.0.1:PORT/x", "a@b", "127.0.0.1:99999999", "<script>"]
    if rng.random() < 0.2:
        return _once(request("GET", "/model", headers=two))
    return _once(request("GET", "/model", host=rng.choice(broken)))


def _foreign_page(rng: random.Random) -> Exchange:
    signs = [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ]
    return _once(request(body=images.jpeg(rng), headers={**_JPEG, **rng.choice(signs)}))


def _infer(content: object) -> Exchange:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return _once(request(path=_INFER, body=body, headers={"Content-Type": "application/json"}))


def _deep_json(rng: random.Random) -> Exchange:
    depth = rng.choice([2000, 100_000, 1_000_000])
    opening, closing = rng.choice([(b"[", b"]"), (b'{"a":', b"}")])
    inner = opening * depth + b"1" + closing * depth
    return _infer(rng.choice([inner, b'{"inputs": [{"data": ' + inner + b"}]}"]))


def _tensor(data: object, shape: object, name: str = "image", kind: str = "UINT8") -> Any:  # noqa: ANN401
    return {"inputs": [{"name": name, "datatype": kind, "shape": shape, "data": data}]}


def _wrong_tensor(rng: random.Random) -> Exchange:
    twelve = [1, 2, 2, 3]
    return _infer(
        rng.choice(
            [
                _tensor([float("nan")] * 12, twelve),
                _tensor([float("inf")] * 12, twelve),
                _tensor([-1] * 12, twelve),
                _tensor([10**400] * 12, twelve),
                _tensor(["../../etc/passwd"], [1], "encoded_image", "BYTES"),
                _tensor([0], [-1, -1, -1, 3]),
                _tensor([0], [1, 2**62, 2**62, 3]),
                _tensor([0], [10**9, 1, 1, 3]),
                _tensor([0], [0, 0, 0, 3]),
                _tensor([0], [1] * 5000),
                _tensor([0], "1,1,1,3"),
                _tensor([[[[]]]], [1, 1, 1, 3]),
                _tensor({"a": 1}, [1, 1, 1, 3]),
                {"inputs": [], "outputs": [{"name": "box"}] * 5000},
                {"inputs": _tensor([0, 0, 0], [1, 1, 1, 3])["inputs"] * 100},
            ]
        )
    )


def _wrong_binary(rng: random.Random) -> Exchange:
    data = rng.choice(
        [
            struct.pack("<I", 2**32 - 1) + b"x",
            struct.pack("<I", 5) + b"x",
            b"\0",
            b"",
            b"\0" * 4 * 1000,
        ]
    )
    tensor = _tensor(None, [1], "encoded_image", "BYTES")
    tensor["inputs"][0]["parameters"] = {"binary_data_size": len(data)}
    text = json.dumps(tensor).encode()
    right = str(len(text))
    stated = rng.choice([right, right, "-1", "999999999", "1e3", "x", str(len(text) - 1)])
    headers = {"Inference-Header-Content-Length": stated}
    return _once(request(path=_INFER, body=text + data, headers=headers))


def _wrong_length(rng: random.Random) -> Exchange:
    stated = rng.choice(
        ["-1", "x", "0x10", "1, 2", "+5", "1e3", "9" * 40, "5\r\nContent-Length: 6"]
    )
    return _once(request(body=b"12345", headers={**_JPEG, "Content-Length": stated}))


def _large_length(rng: random.Random) -> Exchange:
    stated = str(rng.choice([2**25 + 1, 10**12, 2**62]))
    return _once(request(body=b"12345", headers={**_JPEG, "Content-Length": stated}))


def _broken_chunks(rng: random.Random) -> Exchange:
    headers = {**_JPEG, "Content-Length": "", "Transfer-Encoding": "chunked"}
    garbage = rng.choice([b"zz\r\nabc\r\n", b"-5\r\nabc\r\n", b"ffffffffffffffffff\r\nabc\r\n"])
    return _once(request(headers=headers) + b"3\r\nabc\r\n" + garbage)


def _endless_chunks(_: random.Random) -> Exchange:
    headers = {**_JPEG, "Content-Length": "", "Transfer-Encoding": "chunked"}
    chunk = b"100000\r\n" + b"\0" * 2**20 + b"\r\n"
    return Exchange([request(headers=headers), *[chunk] * 40])


def _two_lengths(_: random.Random) -> Exchange:
    return _once(request(body=b"0\r\n\r\n", headers={**_JPEG, "Transfer-Encoding": "chunked"}))


def _wrong_method(rng: random.Random) -> Exchange:
    method = rng.choice(["DELETE", "PUT", "PATCH", "TRACE", "PROPFIND", "OPTIONS", "GET"])
    return _once(request(method, "/predict"))


def _no_method(rng: random.Random) -> Exchange:
    return _once(request(rng.choice(["BREW", "post", "A" * 3000, "\x01"]), "/predict"))


def _no_http(rng: random.Random) -> Exchange:
    data = rng.choice(
        [
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + rng.randbytes(200),
            b"GET / HTTP/9.9\r\n\r\n",
            b"SSH-2.0-OpenSSH_9.2\r\n",
            b"\0" * 300,
            b"GET /\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost 127.0.0.1\r\n\r\n",
            b"GET / HTTP/1.1\r\n Host: 127.0.0.1\r\n\r\n",
        ]
    )
    return _once(data)


def _wrong_query(rng: random.Random) -> Exchange:
    query = rng.choice(
        [
            *("coverage=nan", "coverage=2", "max_risk=-1", "coverage=x", "coverage=0x1", "debug=1"),
            *("coverage[]=1", "path=/etc/passwd", "max_risk=1e999"),
        ]
    )
    return _once(request(path=f"/predict?{query}", body=images.jpeg(rng), headers=_JPEG))


def _compressed(rng: random.Random) -> Exchange:
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    return _once(request(path=_INFER, body=rng.randbytes(100), headers=headers))


def _statuses(text: str) -> frozenset[str]:
    return frozenset(text.split())


ATTACKS: Mapping[str, Attack] = {
    "bomb: PNG": Attack(lambda rng: _image(images.png_bomb(rng)), _statuses("422"), 2),
    "bomb: BMP": Attack(lambda rng: _image(images.bmp_bomb(rng)), _statuses("422")),
    "bomb: GIF": Attack(lambda rng: _image(images.gif_bomb(rng)), _statuses("422")),
    "bomb: scans of a JPEG": Attack(lambda rng: _image(images.scan_bomb(rng)), _statuses("422")),
    "bomb within the limit": Attack(
        lambda rng: _image(images.deep_png(rng)), _statuses("200 503"), 0.3
    ),
    "cut image": Attack(lambda rng: _image(images.cut_jpeg(rng)), _statuses("415 422"), 2),
    "no image": Attack(lambda rng: _image(images.no_image(rng)), _statuses("415"), 2),
    "empty body": Attack(lambda _: _image(b""), _statuses("415 422"), 0.5),
    "cut body": Attack(_cut_body, _statuses(SILENT), 2),
    "half-closed body": Attack(_half_closed, _statuses(f"{SILENT} 400 408")),
    "slow body": Attack(_slow_body, _statuses("408"), 0.5),
    "slow headers": Attack(_slow_headers, _statuses("408"), 0.5),
    "huge headers": Attack(_huge_headers, _statuses("431"), 2),
    "long path": Attack(_long_path, _statuses("414")),
    "wrong content type": Attack(_wrong_type, _statuses("415"), 2),
    "path as file name": Attack(_file_name, _statuses("200"), 2),
    "path as URL": Attack(_file_path, _statuses("404"), 2),
    "path as model name": Attack(_model_name, _statuses("404"), 2),
    "wrong Host": Attack(_wrong_host, _statuses("421"), 2),
    "broken Host": Attack(_broken_host, _statuses("400 421"), 2),
    "foreign page": Attack(_foreign_page, _statuses("403"), 2),
    "broken form": Attack(_broken_form, _statuses("400"), 2),
    "form of many parts": Attack(_many_parts, _statuses("400")),
    "deep JSON": Attack(_deep_json, _statuses("400")),
    "wrong tensor": Attack(_wrong_tensor, _statuses("400"), 2),
    "wrong binary tensor": Attack(_wrong_binary, _statuses("400"), 2),
    "wrong Content-Length": Attack(_wrong_length, _statuses("400"), 2),
    "huge Content-Length": Attack(_large_length, _statuses("413")),
    "broken chunks": Attack(_broken_chunks, _statuses("400"), 2),
    "endless chunks": Attack(_endless_chunks, _statuses("413"), 0.3),
    "length and chunks": Attack(_two_lengths, _statuses("400")),
    "wrong method": Attack(_wrong_method, _statuses("405"), 2),
    "unknown method": Attack(_no_method, _statuses("400")),
    "no HTTP": Attack(_no_http, _statuses(f"400 {SILENT}"), 2),
    "wrong query": Attack(_wrong_query, _statuses("400 422"), 2),
    "compressed body": Attack(_compressed, _statuses("415")),
}
"""All classes, by name."""
