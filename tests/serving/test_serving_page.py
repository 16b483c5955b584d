"""docs/serving.md is true: its defaults are those of the program."""

import inspect
import re
from pathlib import Path

from onebox.cli.serve import serve
from onebox.serving.model_api.predictor import Work
from onebox.serving.model_api.uploads import MOST_FILES
from onebox.serving.web import protocol
from onebox.serving.web.limits import BODY_BYTES, Limits
from onebox.serving.web.security import LEAST_TOKEN
from onebox.serving.web.server import Ending

TEXT = (Path(__file__).parents[2] / "docs/serving.md").read_text("utf-8")
DEFAULTS = {
    f"--{name.replace('_', '-')}": parameter.default
    for name, parameter in inspect.signature(serve).parameters.items()
}


def test_the_limits_of_the_page_are_the_defaults_of_the_command():
    shown = re.findall(r"^\| `(--[a-z-]+)` \| (\d+) \|", TEXT, re.MULTILINE)
    assert {option: int(value) for option, value in shown} == {
        option: DEFAULTS[option]
        for option in ("--max-queue", "--max-bytes", "--max-pixels", "--timeout")
    }


def test_the_defaults_of_the_command_are_those_of_the_records():
    work = Work(threads=1)
    assert DEFAULTS["--max-queue"] == work.queue
    assert DEFAULTS["--max-pixels"] == work.max_pixels
    assert DEFAULTS["--timeout"] == work.seconds
    assert DEFAULTS["--max-bytes"] == BODY_BYTES


def test_the_other_numbers_of_the_page_are_those_of_the_program():
    assert f"with 1 to {MOST_FILES} files" in TEXT
    assert f"the headers took more than {protocol.HEADER_SECONDS:g} s" in TEXT
    assert f"have more than {Limits().header_bytes // 1024} KiB" in TEXT
    assert f"A token has at least {LEAST_TOKEN} characters" in TEXT
    assert f"within {Ending().grace_s} seconds" in TEXT
