"""The time of `predict` on an array above a bare `session.run`, as in `prediction.py`."""

from inference_parts.claims import THREADS, Claim, PartResult, Workspace

from prediction import timed

_MAX_MS = 0.15


def show(workspace: Workspace) -> PartResult:
    """Time both, alternating call by call."""
    runs = 3 * workspace.sizes.calls
    rows = [row for threads in THREADS for row in timed(workspace.model, threads, runs)]
    claims = [
        Claim(f"4: predict above session.run, ms, {row['array']}, threads {row['threads']}",
              float(row["above"]), _MAX_MS)
        for row in rows
        if row["what"] == "predict"
    ]  # fmt: skip
    return PartResult(rows, claims)
