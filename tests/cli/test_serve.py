"""``onebox serve``: what is said before anything is served."""

import socket
import subprocess
import sys

import pytest

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


def test_serving_imports_no_pytorch():
    program = (
        "import sys; import onebox.cli.app; import onebox.serving.model_api.service; "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
