"""A few inputs for every reader, by the fuzzer that ``fuzz/README.md`` describes."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.train

ROOT = Path(__file__).parent.parent


def test_nearly_right_inputs_are_answered_in_words_by_every_reader(tmp_path):
    command = [sys.executable, "fuzz/run.py", "safe", "--inputs", "20", "--out", str(tmp_path)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert len(ended.stdout.splitlines()) > 30


def test_an_input_follows_from_the_seed_and_its_number(tmp_path):
    program = (
        "import sys; sys.path.insert(0, 'fuzz')\n"
        "from random import Random; from mutation import Input, mutate\n"
        "seeds = [Input('a', b'{\"a\": [1, 2, 3]}'), Input('b', b'x,y\\n1,2\\n')]\n"
        "made = [mutate(seeds, [b'z'], Random(f'0:t:{n}')).content for n in range(200)]\n"
        "print(len(set(made)) > 150, hash(repr(made)) and repr(made[:5]))\n"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    ]
    assert runs[0] == runs[1]
    assert runs[0].startswith("True ")
