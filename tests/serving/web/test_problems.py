"""Errors as answers."""

import pytest


@pytest.mark.parametrize(
    ("name", "status", "detail"),
    [
        ("data", 422, "labels.csv:2: bad.\nlabels.csv:3: bad."),
        ("image", 422, "image: is empty (0 bytes). Replace or remove it."),
        ("no-image", 415, "image: is not an image."),
        ("setting", 422, "coverage must be between 0 and 1, got 2."),
        ("model", 500, "model.onnx: is gone."),
        ("disk", 500, "labels.csv: cannot be written."),
        ("problem", 409, "Another tab changed it."),
    ],
)
def test_an_error_is_answered_with_its_status_and_its_sentence(name, status, detail, new_client):
    answer = new_client().get(f"/errors/{name}")
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    members = answer.json()
    assert (members["type"], members["status"]) == ("about:blank", status)
    assert members["detail"] == detail


def test_headers_of_a_problem_are_sent(new_client):
    assert new_client().get("/errors/problem").headers["retry-after"] == "7"


def test_an_error_of_the_program_tells_a_client_nothing_of_it(new_client):
    answer = new_client().get("/errors/bug")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "its log says why" in answer.json()["detail"]


def test_a_path_without_an_answer_is_named(new_client):
    answer = new_client().get("/nothing")
    assert answer.status_code == 404
    assert answer.json()["detail"] == "There is nothing at /nothing. Correct the path."


def test_a_method_without_an_answer_is_named_with_those_that_have_one(new_client):
    answer = new_client().delete("/length")
    assert answer.status_code == 405
    assert answer.json()["detail"].startswith("/length does not take DELETE.")
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD", "POST"}


def test_a_path_with_a_slash_too_many_is_not_redirected(new_client):
    assert new_client().get("/length/").status_code == 404
