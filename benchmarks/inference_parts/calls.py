"""`predict` on an array above a bare `session.run`: what `prediction.py` times."""

from inference_parts.claims import THREADS, Claim, Place, Shown

from prediction import timed

_MOST_MS = 0.15


def show(place: Place) -> Shown:
    """Time both, call by call in turns."""
    runs = 3 * place.sizes.calls
    rows = [row for threads in THREADS for row in timed(place.model, threads, runs)]
    claims = [
        Claim(f"4: predict above session.run, ms, {row['array']}, threads {row['threads']}",
              float(row["above"]), _MOST_MS)
        for row in rows
        if row["what"] == "predict"
    ]  # fmt: skip
    return Shown(rows, claims)
