"""``onebox serve`` as a process: reload without a dropped request, and a calm end."""

import http.client
import os
import re
import signal
import subprocess
import sys
import threading

import pytest

pytestmark = pytest.mark.train

JPEG = {"Content-Type": "image/jpeg"}


class Process:
    """A running server and a connection to it."""

    def __init__(self, file, *options):
        command = [sys.executable, "-m", "onebox", "serve", str(file), "--port", "0", *options]
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.address = self._process.stdout.readline().strip()
        self.port = int(re.fullmatch(r"http://127\.0\.0\.1:(\d+)/", self.address)[1])

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)

    def get(self, path):
        connection = self.connect()
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read().decode()
        connection.close()
        return answer.status, body

    def read_error_line(self):
        return self._process.stderr.readline()

    def send(self, number):
        self._process.send_signal(number)

    def end(self):
        """Exit code, the rest of standard output, and standard error."""
        out, err = self._process.communicate(timeout=30)
        return self._process.returncode, out, err

    def kill(self):
        self._process.kill()
        self._process.communicate()


@pytest.fixture
def serve():
    """Start servers that are killed at the end of the test: ``serve(file, "--token", ...)``."""
    started = []

    def start(file, *options):
        started.append(Process(file, *options))
        return started[-1]

    yield start
    for each in started:
        each.kill()


def predict(connection, body):
    connection.request("POST", "/predict", body, JPEG)
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def test_a_replaced_model_answers_without_a_dropped_request(
    serve, write_bright_model, encoded, tmp_path
):
    file = write_bright_model(tmp_path / "model.onnx", classes=("cat", "dog"))
    new = write_bright_model(tmp_path / "new.onnx", classes=("fox", "owl"))
    body = encoded(255, format="JPEG")
    process = serve(file)
    is_new = [threading.Event() for _ in range(2)]
    answers = [[], []]

    def ask(place):
        connection = process.connect()
        while not is_new[place].is_set() and len(answers[place]) < 100_000:
            status, text = predict(connection, body)
            answers[place].append((status, '"fox"' in text))
            if '"label":"fox"' in text:
                is_new[place].set()
        connection.close()

    clients = [threading.Thread(target=ask, args=(place,)) for place in range(2)]
    for client in clients:
        client.start()
    os.replace(new, file)  # noqa: PTH105 - as a deployment does
    for client in clients:
        client.join(60)
    assert all(each.is_set() for each in is_new)
    for seen in answers:
        assert {status for status, _ in seen} == {200}
        assert [is_fox for _, is_fox in seen] == sorted(is_fox for _, is_fox in seen)
    process.send(signal.SIGTERM)
    code, _, err = process.end()
    assert code == 0
    assert err == f"note: {file}: loaded anew.\n"


def test_a_request_in_work_is_finished_after_sigterm(serve, bright_file, encoded):
    process = serve(bright_file, "--drain-delay", "600")
    body = encoded(255, format="JPEG")
    connection = process.connect()
    connection.putrequest("POST", "/predict")
    connection.putheader("Content-Type", "image/jpeg")
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body[:100])
    assert process.get("/v2/health/ready")[0] == 200
    process.send(signal.SIGTERM)
    states = {process.get("/v2/health/ready") for _ in range(100)}
    while (503, '{"live":true,"ready":false}') not in states:
        states = {process.get("/v2/health/ready")}
    kept = process.connect()
    kept.request("GET", "/v2/health/live")
    live = kept.getresponse()
    assert (live.status, live.getheader("connection")) == (200, "close")  # accepted, but the last
    kept.close()
    process.send(signal.SIGTERM)  # ends the delay
    connection.send(body[100:])
    answer = connection.getresponse()
    assert (answer.status, b'"score":1.0' in answer.read()) == (200, True)
    assert answer.getheader("connection") == "close"
    connection.close()
    assert process.end() == (0, "", "")


def test_sighup_loads_the_file_again_and_ctrl_c_ends_without_a_traceback(serve, bright_file):
    process = serve(bright_file)
    process.send(signal.SIGHUP)
    noted = process.read_error_line()
    process.send(signal.SIGINT)
    assert noted == f"note: {bright_file}: loaded anew.\n"
    assert process.end() == (0, "", "")
