"""The names that a server answers to."""

import pytest

from onebox.errors import SettingError
from onebox.serving.web.hosts import AllowedHosts, is_loopback, parse_authority

ANYWHERE = "0.0.0.0"  # noqa: S104 - nothing listens there


@pytest.mark.parametrize(
    ("host", "asked", "is_allowed"),
    [
        ("127.0.0.1", "127.0.0.1:8000", True),
        ("127.0.0.1", "localhost:8000", True),
        ("127.0.0.1", "LOCALHOST.:8000", True),
        ("127.0.0.1", "[::1]:8000", True),
        ("127.0.0.1", "localhost:8001", False),
        ("127.0.0.1", "localhost", False),  # port 80
        ("127.0.0.1", "evil.example:8000", False),
        ("127.0.0.1", "localhost.evil.example:8000", False),
        ("127.0.0.1", "192.168.1.5:8000", False),
        ("::1", "[::1]:8000", True),
        ("192.168.1.5", "192.168.1.5:8000", True),
        ("192.168.1.5", "localhost:8000", False),
        (ANYWHERE, "10.1.2.3:8000", True),
        (ANYWHERE, "10.1.2.3:9000", True),  # a container's port under another number
        (ANYWHERE, "localhost:9000", True),
        (ANYWHERE, "[fe80::1]:8000", True),
        (ANYWHERE, "evil.example:8000", False),
        ("::", "10.1.2.3:8000", True),
        ("box.example", "BOX.example:8000", True),
    ],
)
def test_a_server_answers_to_its_own_names_alone(host, asked, is_allowed):
    assert AllowedHosts.of(host, 8000).has(parse_authority(asked)) is is_allowed


@pytest.mark.parametrize(
    ("named", "asked", "is_allowed"),
    [
        ("box.example", "box.example", True),
        ("box.example", "box.example:8443", True),
        ("box.example:8443", "box.example:8443", True),
        ("box.example:8443", "box.example", False),
        ("box.example", "other.example", False),
        ("box.example", "sub.box.example", False),
    ],
)
def test_further_names_hold_for_every_port_unless_they_have_one(named, asked, is_allowed):
    hosts = AllowedHosts.of("127.0.0.1", 8000, [named])
    assert hosts.has(parse_authority(asked)) is is_allowed


@pytest.mark.parametrize("name", ["https://box.example", "box example", "", "*", "a/b", "[::1"])
def test_a_further_name_that_is_no_host_is_refused(name):
    with pytest.raises(SettingError, match=r"is not a host name.*Write it as example.org"):
        AllowedHosts.of("127.0.0.1", 8000, [name])


@pytest.mark.parametrize(
    ("host", "answer"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("[::1]", True),
        ("localhost", True),
        (ANYWHERE, False),
        ("::", False),
        ("192.168.1.5", False),
        ("box.example", False),
    ],
)
def test_only_addresses_of_the_loopback_interface_are_loopback(host, answer):
    assert is_loopback(host) is answer


@pytest.mark.parametrize("text", ["", "a b", "a/b", "a:b", "user@host", "host:123456", "[::1"])
def test_text_that_is_no_host_with_a_port_is_not_parsed(text):
    assert parse_authority(text) is None
