"""The Dockerfile and the container files of docs/serving.md fit the repository.

They cannot be built or started in a test, but what they name exists.
"""

import json
import re
from fnmatch import fnmatch
from pathlib import Path

import pytest
import typer
import yaml

from onebox.cli.app import app
from onebox.serving.model_api.application import OPEN_PATHS

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "Dockerfile").read_text("utf-8")
PAGE = (ROOT / "docs/serving.md").read_text("utf-8")
LINES = re.sub(r"\\\n\s*", "", TEXT).splitlines()


def words_of(instruction):
    """The rest of each line with an instruction."""
    found = [line.split(maxsplit=1) for line in LINES]
    return [words[1] for words in found if words and words[0] == instruction]


def parsed(words):
    """The options of ``onebox serve`` as its parser reads a command line."""
    command = typer.main.get_command(app).commands["serve"]
    return command.make_context("serve", list(words)).params


@pytest.fixture
def command():
    """What the container runs."""
    [entry], [default] = words_of("ENTRYPOINT"), words_of("CMD")
    return [*json.loads(entry), *json.loads(default)]


def test_the_container_runs_onebox_serve_with_options_that_exist(command):
    assert command[:2] == ["/onebox/bin/onebox", "serve"]
    options = parsed(command[2:])
    assert str(options["model"]) == "/model/model.onnx"
    assert options["host"] == "0.0.0.0"  # noqa: S104 - of the container


def test_the_token_comes_from_the_environment(monkeypatch, command):
    value = "0123456789abcdef"
    monkeypatch.setenv("ONEBOX_TOKEN", value)
    assert parsed(command[2:])["token"] == value
    assert "--token" not in TEXT


def test_the_exposed_port_is_the_one_that_is_served_and_checked(command):
    port = parsed(command[2:])["port"]
    assert words_of("EXPOSE") == [str(port)]
    [check] = words_of("HEALTHCHECK")
    assert f"http://127.0.0.1:{port}/" in check


def test_the_health_check_asks_a_path_that_needs_no_token():
    [path] = re.findall(r"http://[^/]+(/[^']*)'", words_of("HEALTHCHECK")[0])
    assert path in OPEN_PATHS


def test_commands_of_the_final_image_need_no_shell():
    final = TEXT.rpartition("\nFROM ")[2]
    assert "\nRUN" not in final
    for line in (*words_of("ENTRYPOINT"), *words_of("CMD")):
        assert isinstance(json.loads(line), list)
    assert isinstance(json.loads(words_of("HEALTHCHECK")[0].partition("CMD ")[2]), list)


def test_the_user_is_a_number_and_not_root():
    [user] = words_of("USER")
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)


def test_what_is_copied_exists_and_is_not_ignored():
    kept = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    for words in words_of("COPY"):
        if not words.startswith("--from"):
            for source in words.split()[:-1]:
                assert (ROOT / source).exists()
                assert f"!{source}" in kept


def test_nothing_else_is_sent_to_the_build():
    rules = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    assert rules[1] == "*"
    assert not any(fnmatch(".git", rule[1:]) for rule in rules if rule.startswith("!"))


def test_every_package_is_installed_by_its_hash():
    installs = re.findall(r"uv pip install (.*?)(?: &&|$)", "\n".join(words_of("RUN")), re.M)
    packages, own = installs
    assert "--require-hashes" in packages
    assert "--constraints requirements.lock" in packages
    assert "--no-deps" in own
    assert "--hash=sha256:" in (ROOT / "requirements.lock").read_text("utf-8")


def test_the_extra_that_is_installed_is_that_of_the_server():
    assert re.findall(r"--extra (\w+)", TEXT) == ["serve"]


def documents(key):
    """The YAML documents of the page that have a key."""
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    found = [each for block in blocks for each in yaml.safe_load_all(block)]
    return [each for each in found if key in each]


def test_the_compose_file_starts_the_server_with_options_that_exist():
    [compose] = documents("services")
    service = compose["services"]["onebox"]
    options = parsed(service["command"])
    assert list(options["allowed_host"]) == ["onebox"]
    assert list(service["environment"]) == ["ONEBOX_TOKEN"]
    assert service["ports"][0].endswith(f":{parsed(['model.onnx'])['port']}")


@pytest.fixture
def pod():
    """The container of the Kubernetes deployment, and its grace period."""
    [deployment] = [each for each in documents("kind") if each["kind"] == "Deployment"]
    spec = deployment["spec"]["template"]["spec"]
    return spec["containers"][0], spec["terminationGracePeriodSeconds"]


def test_the_deployment_starts_the_server_with_options_that_exist(pod):
    container, grace_s = pod
    options = parsed(container["args"])
    assert str(options["model"]).startswith(container["volumeMounts"][0]["mountPath"])
    assert options["drain_delay"] + 30 < grace_s  # requests in work have 30 s


def test_the_probes_ask_paths_that_need_no_token(pod):
    container, _ = pod
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[probe]["httpGet"]["path"] in OPEN_PATHS
