"""What certainty costs at run time: a calibrated file against one without any of its outputs."""

import dataclasses
import tempfile
from pathlib import Path
from statistics import median

import onnx

from onebox import reading, runtime
from onebox.calibration import calibrate_file
from onebox.images import load
from onebox.model_card import put_card
from onebox.variants.comparison import latencies_ms

_BARE = ("box", "probability", "score")
_ROUNDS = 7
_IMAGES = 32


def cost(model: Path, labels: Path) -> dict[str, float]:
    """Median milliseconds of a prediction of both files, and their ratio; rounds take turns."""
    data = reading.read(labels, on_bad="skip")
    pixels = [load(one.image, at_least=192).pixels for one in data.part("test").samples[:_IMAGES]]
    with tempfile.TemporaryDirectory() as folder:
        bare, calibrated = Path(folder) / "bare.onnx", Path(folder) / "calibrated.onnx"
        _write_bare(model, bare)
        calibrate_file(model, data.part("val"), calibrated)
        localizers = {"bare": runtime.load(bare), "calibrated": runtime.load(calibrated)}
        rounds = [latencies_ms(localizers, pixels) for _ in range(_ROUNDS)]
    ratios = [each["calibrated"] / each["bare"] for each in rounds]
    times = {name: median(each[name] for each in rounds) for name in localizers}
    return {**times, "ratio": median(ratios), "ratio_low": min(ratios), "ratio_high": max(ratios)}


def _write_bare(model: Path, file: Path) -> None:
    """The graph that is left if nothing but box, probability and score is asked for."""
    card = runtime.load(model).card
    onnx.utils.extract_model(model, file, ["image"], list(_BARE), check_model=False)
    content = onnx.load(file)
    plain = {"calibration": None, "refined_calibration": None, "sigma": False, "distance": False}
    put_card(content, dataclasses.replace(card, **plain))
    onnx.save(content, file)
