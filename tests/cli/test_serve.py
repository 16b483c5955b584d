"""``onebox serve``: what is said before anything is served."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from onebox.serving.model_api import service
from onebox.serving.model_api.models import Promised
from onebox.serving.model_api.predictor import Work
from onebox.serving.web.server import Ending
from onebox.threads import available_threads

pytestmark = pytest.mark.train


def test_another_host_is_refused_without_a_token(run, bright_file, monkeypatch):
    monkeypatch.delenv("ONEBOX_TOKEN", raising=False)
    code, out, err = run("serve", bright_file, "--host", "192.168.1.5", "--port", "0")
    assert (code, out) == (2, "")
    assert "--host 192.168.1.5 lets other machines reach this server, so it needs a token" in err


def test_a_weak_token_is_refused(run, bright_file):
    code, _, err = run("serve", bright_file, "--token", "secret", "--port", "0")
    assert code == 2
    assert "the token has 6 characters; it must have at least 16" in err
    assert "secrets.token_urlsafe()" in err


def test_a_port_in_use_is_an_error_in_words(run, bright_file):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, out, err = run("serve", bright_file, "--port", port)
    assert (code, out) == (1, "")
    assert f"127.0.0.1:{port}: cannot be listened on: another program uses it." in err


def test_a_missing_model_is_an_error_of_the_model(run, tmp_path):
    code, _, err = run("serve", tmp_path / "nothing.onnx", "--port", "0")
    assert code == 4
    assert "does not exist. Correct the path" in err


def test_a_promise_that_cannot_be_kept_is_an_error(run, bright_file):
    code, _, err = run("serve", bright_file, "--coverage", "0.9", "--port", "0")
    assert code == 2
    assert f"{bright_file} is not calibrated" in err


def test_a_further_name_that_is_no_host_is_an_error(run, bright_file):
    code, _, err = run("serve", bright_file, "--port", "0", "--allowed-host", "http://a")
    assert code == 2
    assert "--allowed-host 'http://a' is not a host name" in err


@pytest.mark.parametrize("package", ["starlette", "uvicorn", "httptools", "python_multipart"])
def test_without_the_extra_the_command_says_how_to_install_it(
    package, run, bright_file, monkeypatch
):
    monkeypatch.setitem(sys.modules, package, None)
    code, _, err = run("serve", bright_file)
    assert code == 1
    assert f"need {package}, which is not installed" in err
    assert "pip install 'onebox[serve]'" in err


@pytest.fixture
def settings_of(run, monkeypatch):
    """The settings of the server that a command line would run."""
    seen = []
    monkeypatch.setattr(service, "run", lambda file, settings, on_start: seen.append(settings))

    def start(*words):
        assert run("serve", "model.onnx", *words) == (0, "", "")
        return seen[-1]

    return start


def test_a_server_is_for_this_machine_alone_unless_told_otherwise(settings_of, monkeypatch):
    monkeypatch.delenv("ONEBOX_TOKEN", raising=False)
    settings = settings_of()
    assert (settings.host, settings.port, settings.token) == ("127.0.0.1", 8000, None)
    assert settings.work == Work(available_threads())
    assert settings.ending.delay_s == 0


def test_every_option_reaches_the_server(settings_of):
    options = {
        "--host": "::1",
        "--port": 9000,
        "--token": "correct-horse-battery",
        "--threads": 3,
        "--coverage": 0.9,
        "--max-risk": 0.05,
        "--max-queue": 7,
        "--max-bytes": 1000,
        "--max-pixels": 5000,
        "--timeout": 2.5,
        "--drain-delay": 4,
    }
    words = [word for pair in options.items() for word in pair]
    settings = settings_of(*words, "--allowed-host", "a.example", "--allowed-host", "b.example")
    assert settings == service.Service(
        work=Work(threads=3, queue=7, seconds=2.5, max_pixels=5000),
        host="::1",
        port=9000,
        token="correct-horse-battery",  # noqa: S106 - of this test
        allowed_hosts=("a.example", "b.example"),
        usual=Promised(coverage=0.9, max_risk=0.05),
        max_bytes=1000,
        ending=Ending(delay_s=4.0),
    )


def test_the_token_may_come_from_the_environment(settings_of, monkeypatch):
    monkeypatch.setenv("ONEBOX_TOKEN", "correct-horse-battery")
    assert settings_of().token == "correct-horse-battery"  # noqa: S105 - of this test


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full is Linux's")
def test_an_address_that_cannot_be_printed_ends_it_with_a_message(bright_file):
    line = [sys.executable, "-c", "from onebox.cli import main; main()", "serve", bright_file]
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [*map(str, line), "--port", "0"],
            check=False,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )
    assert ended.returncode == 1
    assert (
        ended.stderr == "error: standard output: No space left on device. Free space on the disk.\n"
    )
