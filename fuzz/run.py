"""Give every reader of onebox inputs that are nearly right, and see that it answers in words.

A finding is an input that raises anything but a `OneboxError`, breaks a promise, takes longer than
5 seconds or 512 MiB more memory, or ends the process. See fuzz/README.md.
"""

import argparse
import json
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from download_targets import DOWNLOAD_TARGETS
from engine import Result, fuzz, input_of
from image_targets import IMAGE_TARGETS
from label_targets import LABEL_TARGETS
from model_targets import MODEL_TARGETS
from result_targets import RESULT_TARGETS
from server_targets import SERVER_TARGETS
from settings_targets import SETTINGS_TARGETS
from target import Opening

TARGETS: Mapping[str, Opening] = {
    **LABEL_TARGETS,
    **IMAGE_TARGETS,
    **MODEL_TARGETS,
    **SETTINGS_TARGETS,
    **RESULT_TARGETS,
    **SERVER_TARGETS,
    **DOWNLOAD_TARGETS,
}


UNSAFE = frozenset({"openvino"})
"""Targets with a failure that is not ours to mend: see docs/robustness.md."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    choices = {"all": list(TARGETS), "safe": [name for name in TARGETS if name not in UNSAFE]}
    parser.add_argument(
        "target",
        choices=[*choices, *TARGETS],
        help="what reads the inputs; safe is all but openvino",
    )
    parser.add_argument("--inputs", type=int, default=1000, help="inputs of each target")
    parser.add_argument("--seed", type=int, default=0, help="of the mutations")
    parser.add_argument("--start", type=int, default=0, help="number of the first input")
    parser.add_argument("--out", type=Path, required=True, help="folder for the findings")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    numbers = range(options.start, options.start + options.inputs)
    print(f"{'target':24}{'inputs':>9}{'accepted':>9}{'seconds':>9}{'findings':>9}{'peak MiB':>9}")
    is_clean = True
    for name in choices.get(options.target, [options.target]):
        result = fuzz(name, TARGETS[name], seed=options.seed, numbers=numbers)
        _print(result)
        _save(result, options.seed, options.out)
        is_clean = is_clean and not result.findings
    raise SystemExit(0 if is_clean else 1)


def _print(result: Result) -> None:
    print(
        f"{result.target:24}{result.inputs:9}{result.accepted:9}{result.seconds:9.1f}"
        f"{len(result.findings):9}{result.peak_mb:9.0f}",
        flush=True,
    )
    for found in result.findings.values():
        lines = found.message.strip().splitlines()
        numbers = ", ".join(map(str, found.inputs))
        print(f"    {found.count} x {found.kind}: {lines[-1][:200] if lines else ''} ({numbers})")


def _save(result: Result, seed: int, out: Path) -> None:
    """Write the inputs of the findings, and a line for the whole."""
    if result.findings:
        with (
            tempfile.TemporaryDirectory(prefix="onebox-fuzz-") as folder,
            TARGETS[result.target](Path(folder)) as target,
        ):
            for found in result.findings.values():
                for number in found.inputs:
                    given = input_of(target, result.target, seed, number)
                    place = out / f"{result.target}-{seed}-{number}-{Path(given.name).name}"
                    place.write_bytes(given.content)
    with (out / "runs.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps({"seed": seed, **asdict(result)}) + "\n")


if __name__ == "__main__":
    main()
