"""The page and the files that it loads."""

import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.testclient import TestClient

from onebox.serving.web.assets import asset_routes, packaged_assets, read_assets
from onebox.serving.web.problems import ProblemError, answer_error


@pytest.fixture
def folder(tmp_path):
    found = tmp_path / "assets"
    (found / "icons").mkdir(parents=True)
    (found / "model.html").write_text("<p>model</p>")
    (found / "label.html").write_text("<p>label</p>")
    (found / "page.js").write_text("export {};")
    (found / "page.css").write_text("p {}")
    (found / "icons" / "box.svg").write_text("<svg/>")
    (found / "notes.txt").write_text("not served")
    (tmp_path / "secret.js").write_text("outside")
    return found


@pytest.fixture
def client(folder):
    handlers = {ProblemError: answer_error, HTTPException: answer_error}
    app = Starlette(routes=asset_routes("model.html", folder), exception_handlers=handlers)
    return TestClient(app)


@pytest.mark.parametrize(
    ("path", "text", "media_type"),
    [
        ("/", "<p>model</p>", "text/html; charset=utf-8"),
        ("/assets/page.js", "export {};", "text/javascript; charset=utf-8"),
        ("/assets/page.css", "p {}", "text/css; charset=utf-8"),
        ("/assets/icons/box.svg", "<svg/>", "image/svg+xml"),
    ],
)
def test_files_are_served_with_their_type(path, text, media_type, client):
    answer = client.get(path)
    assert (answer.text, answer.headers["content-type"]) == (text, media_type)
    assert answer.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    "path",
    [
        "/assets/label.html",
        "/assets/model.html",
        "/assets/notes.txt",
        "/assets/nothing.js",
        "/assets/",
        "/assets/../secret.js",
        "/assets/%2e%2e/secret.js",
        "/assets/..%2fsecret.js",
        "/assets//etc/passwd",
        "/assets/icons",
        "/assets/page.js%00",
    ],
)
def test_nothing_but_the_listed_files_is_served(path, client):
    assert client.get(path).status_code == 404


def test_a_file_that_a_browser_has_is_not_sent_again(client):
    etag = client.get("/assets/page.js").headers["etag"]
    again = client.get("/assets/page.js", headers={"if-none-match": f'"other", W/{etag}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    assert client.get("/assets/page.js", headers={"if-none-match": '"other"'}).status_code == 200


def test_a_changed_file_has_another_etag(folder):
    before = read_assets(folder)["page.js"].etag
    (folder / "page.js").write_text("export { };")
    assert read_assets(folder)["page.js"].etag != before


def test_a_page_that_is_missing_is_a_problem_not_a_crash(tmp_path):
    routes = asset_routes("model.html", tmp_path / "nothing")
    client = TestClient(Starlette(routes=routes, exception_handlers={ProblemError: answer_error}))
    assert "no file 'model.html'" in client.get("/").json()["detail"]


def test_the_package_has_a_folder_for_the_pages():
    assert packaged_assets().name == "assets"
