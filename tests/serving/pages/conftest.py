"""A browser for the tests of pages, and what they all ask of a page."""

import contextlib
import shutil

import pytest

from .fake_label_server import application, serving
from .stage import Stage

CHROMIUM = "/usr/bin/chromium"


# Of each module, not of the session: while Playwright runs, its event loop runs in this thread, and
# tests of other folders could start none.
@pytest.fixture(scope="module")
def browser():
    """Headless Chromium."""
    if not shutil.which(CHROMIUM):
        pytest.skip(f"there is no Chromium at {CHROMIUM}")
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def open_page(browser):
    """Open an address in a fresh context; at the end the page must be clean.

    Clean is a page without an error in its console (a violated security policy is one) and
    without a request to another origin.
    """
    contexts, troubles = [], []

    def open_page(url, *, ready="#stage[data-state=ready]", **options):
        context = browser.new_context(**{"viewport": {"width": 1000, "height": 760}, **options})
        context.set_default_timeout(5000)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("console", lambda line: troubles.extend(errors_of(line)))
        page.on("request", lambda request: troubles.extend(foreign(request, url)))
        page.goto(url)
        page.wait_for_selector(ready)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert troubles == []


@pytest.fixture
def serve():
    """Serve an application until the test ends, and return its address: ``url = serve(app)``."""
    with contextlib.ExitStack() as servers:
        yield lambda app: servers.enter_context(serving(app))


@pytest.fixture
def start_labelling(serve, open_page):
    """Serve a session and open its page: ``page, stage = start_labelling(session)``."""

    def start_labelling(session, **options):
        page = open_page(serve(application(session)), **options)
        return page, Stage(page)

    return start_labelling


def errors_of(line):
    """The text of a console line that is an error.

    Chromium reports each answer that is no success; tests cause those on purpose.
    """
    is_answer = line.text.startswith("Failed to load resource")
    return [line.text] if line.type in {"error", "warning"} and not is_answer else []


def foreign(request, url):
    """The address of a request that leaves the origin of a page."""
    is_own = request.url.startswith((url, "data:", "blob:"))
    return [] if is_own else [request.url]
