import io

import pytest
from PIL import Image

from onebox.labelling.records import image_id

CAT = {"label": "cat", "box": [1.5, 2, 30, 20], "keypoints": None}
ABSENT = {"label": None, "box": None, "keypoints": None}


def act(client, name, label=CAT, **changes):
    image = image_id(name)
    known = client.get(f"/api/images/{image}").json()["revision"]
    action = {"id": f"{name}-{known}", "image": image, "revision": known, "label": label}
    fields = {"how": "drawn", "seconds": 2.5, "tab": "t", **changes}
    return client.post("/api/actions", json={**action, **fields})


def test_the_session_says_what_it_labels(client):
    answer = client.get("/api/session").json()
    assert answer == {
        "folder": "photos",
        "labels": "labels.csv",
        "classes": ["cat", "dog"],
        "keypoints": None,
        "has_training": False,
        "has_suspects": False,
        "version": "0.1.0",
    }


def test_an_action_is_answered_with_the_image_and_the_counts(client, session, folder):
    answer = act(client, "0.png").json()
    assert answer["entry"]["label"] == CAT
    assert answer["entry"]["revision"] == 1
    assert (answer["status"]["labelled"], answer["status"]["remaining"]) == (1, 5)
    assert act(client, "1.png", ABSENT, how="absent").json()["status"]["absent"] == 1
    session.close()
    rows = (folder / "labels.csv").read_text().splitlines()
    assert [row.rpartition(",")[0] for row in rows[1:]] == ["0.png,cat,1.5,2,30,20", "1.png,,,,,"]


def test_an_action_sent_twice_counts_once(client):
    first = act(client, "0.png", id="same", revision=0).json()
    again = act(client, "0.png", id="same", revision=0)
    assert again.status_code == 200
    assert again.json()["entry"] == first["entry"]


def test_an_old_revision_is_answered_with_the_label_as_it_is_now(client):
    act(client, "0.png")
    answer = act(client, "0.png", ABSENT, revision=0, id="other tab")
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["entry"]["label"] == CAT
    assert "0.png: its label was changed meanwhile" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"image": "0" * 16}, 404, "There is no image '0000000000000000' in this session."),
        ({"image": "../../etc/passwd"}, 404, "There is no image"),
        ({"label": {**CAT, "label": "cta"}}, 422, "cta"),
        ({"label": {**CAT, "box": [1, 2, 30, 31]}}, 422, "40 x 30"),
        ({"label": {**CAT, "box": [30, 2, 1, 20]}}, 422, "must be positive"),
        ({"label": {**CAT, "box": [1, 2, 3]}}, 422, "label.box.3: field required"),
        ({"label": {**CAT, "box": ["a", 2, 3, 4]}}, 422, "label.box.0: input should be a valid"),
        ({"how": "guessed"}, 422, "how: input should be 'drawn'"),
        ({"revision": -1}, 422, "revision: input should be greater than or equal to 0"),
        ({"seconds": 1e308}, 422, "seconds: input should be less than or equal to 1000000000"),
        ({"unknown": 1}, 422, "unknown: extra inputs are not permitted"),
    ],
)
def test_a_wrong_action_is_refused_in_words_and_changes_nothing(client, changes, status, words):
    answer = act(client, "0.png", **{"id": "x", **changes})
    assert (answer.status_code, answer.json()["status"]) == (status, status)
    assert words in answer.json()["detail"]
    assert client.get("/api/status").json()["labelled"] == 0


@pytest.mark.parametrize("body", [b"{", b"\xff", b"[" * 100_000, b"NaN and more"])
def test_a_body_that_is_no_json_is_refused(client, body):
    answer = client.post("/api/actions", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith("The body is not JSON")


def test_a_number_that_is_not_finite_is_refused(client):
    body = f'{{"id": "x", "image": "{image_id("0.png")}", "revision": 0, "how": "drawn", "tab": "t"'
    body += ', "label": {"label": "cat", "box": [NaN, 1, 2, 3]}}'
    answer = client.post("/api/actions", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422
    assert "label.box.0: input should be a finite number" in answer.json()["detail"]


def test_tabs_get_different_images_until_none_is_left(client):
    first = client.get("/api/next?tab=a&count=4").json()["images"]
    second = client.get("/api/next?tab=b&count=4").json()["images"]
    names = {one["name"] for one in (*first, *second)}
    assert (len(first), len(second), len(names)) == (4, 2, 6)


def test_the_list_filters_and_counts(client):
    act(client, "1.png")
    answer = client.get("/api/images?filter=labelled").json()
    assert (answer["total"], [one["name"] for one in answer["images"]]) == (1, ["1.png"])
    answer = client.get("/api/images?query=WIDE").json()
    assert [one["size"] for one in answer["images"]] == [[4000, 300]]
    answer = client.get("/api/images?offset=2&count=2").json()
    assert (answer["total"], [one["name"] for one in answer["images"]]) == (6, ["2.png", "3.png"])


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("filter=al", "filter must be one of all, unlabelled, labelled"),
        ("count=0", "count must be a whole number from 1 to 200, got '0'."),
        ("count=1e3", "count must be a whole number from 1 to 200, got '1e3'."),
        ("offset=-1", "offset must be a whole number from 0 to"),
    ],
)
def test_a_wrong_query_names_its_limits(client, query, words):
    answer = client.get(f"/api/images?{query}")
    assert answer.status_code == 422
    assert words in answer.json()["detail"]


def test_a_preview_is_a_jpeg_that_is_sent_once(client):
    path = f"/api/images/{image_id('wide.png')}/preview?side=1000"
    answer = client.get(path)
    assert answer.headers["content-type"] == "image/jpeg"
    assert Image.open(io.BytesIO(answer.content)).size == (1000, 75)  # 4000 x 300 by 4
    again = client.get(path, headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_a_preview_of_a_replaced_image_is_made_anew(client, folder):
    path = f"/api/images/{image_id('0.png')}/preview?side=64"
    before = client.get(path)
    Image.new("RGB", (40, 30), "white").save(folder / "0.png")
    after = client.get(path, headers={"If-None-Match": before.headers["etag"]})
    assert after.status_code == 200
    assert Image.open(io.BytesIO(after.content)).getpixel((5, 5)) == (255, 255, 255)


def test_an_image_that_is_gone_is_named(client, folder):
    (folder / "0.png").unlink()
    answer = client.get(f"/api/images/{image_id('0.png')}/preview")
    assert answer.status_code == 422
    assert "0.png: there is no such file" in answer.json()["detail"]


def test_a_class_is_added_once(client):
    assert client.post("/api/classes", json={"name": "fox"}).json()["classes"][-1] == "fox"
    again = client.post("/api/classes", json={"name": "Fox"})
    assert again.status_code == 422
    assert client.get("/api/status").json()["classes"] == ["cat", "dog", "fox"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"X-Onebox": ""}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Host": "evil.example"}, 421),
        ({"Content-Type": "text/plain"}, 415),
    ],
)
def test_a_post_of_a_stranger_changes_nothing(client, headers, status):
    answer = client.post(
        "/api/classes",
        content=b'{"name": "x"}',
        headers={"content-type": "application/json"} | headers,
    )
    assert answer.status_code == status
    assert client.get("/api/status").json()["classes"] == ["cat", "dog"]


def test_an_edit_in_the_file_and_on_the_page_is_settled_on_the_page(client, session, folder):
    act(client, "0.png")
    session._saver.save()
    file = folder / "labels.csv"
    file.write_text(file.read_text().replace("0.png,cat,1.5", "0.png,dog,3"))
    act(client, "0.png", {**CAT, "box": [0, 0, 9, 9]})
    session._saver.save()
    [entry] = client.get("/api/images?filter=conflicts").json()["images"]
    assert (entry["label"]["box"], entry["theirs"]["label"]) == ([0, 0, 9, 9], "dog")
    answer = client.post(f"/api/conflicts/{entry['id']}", json={"keep": "theirs"}).json()
    assert (answer["entry"]["label"]["label"], answer["status"]["conflicts"]) == ("dog", [])


def test_images_that_a_tab_has_and_the_session_does_not_know_are_not_handed_out(client):
    for skip in ("a,b", ""):
        answer = client.get("/api/next", params={"tab": "t", "count": 3, "skip": skip})
        assert [len(one["id"]) > 1 for one in answer.json()["images"]] == [True] * 3


def test_a_query_that_is_not_utf_8_is_answered_in_words(client):
    """As raw bytes: a client of our own would encode them."""
    import asyncio

    sent = []

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "path": "/api/none",
        "raw_path": b"/api/none",
        "query_string": b"a=\xf0",
        "headers": [(b"host", client.base_url.netloc), (b"x-onebox", b"1")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        "scheme": "http",
        "root_path": "",
    }
    asyncio.run(client.app(scope, receive, send))
    assert sent[0]["status"] == 404
    assert b"There is nothing at /api/none" in sent[1]["body"]
