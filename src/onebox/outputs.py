"""The outputs of a model file: their names and order."""

INPUT = "image"
OUTPUTS = ("box", "probability", "score")
KEYPOINTS_OUTPUT = "keypoints"
PRESENCE_OUTPUT = "presence"


def outputs_of(*, keypoints: bool, presence: bool) -> tuple[str, ...]:
    """The outputs of a model file, in order."""
    also = {KEYPOINTS_OUTPUT: keypoints, PRESENCE_OUTPUT: presence}
    return (*OUTPUTS, *(name for name, is_there in also.items() if is_there))
