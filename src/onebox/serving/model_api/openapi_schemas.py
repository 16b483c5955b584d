"""The JSON objects of the model server as JSON schemas, each with an example.

The schemas allow members that they do not name, so that a later version can add some.
"""

from typing import Any

Schema = dict[str, Any]


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(required: str, properties: Schema, **more: object) -> Schema:
    return {"type": "object", "required": required.split(), "properties": properties, **more}


def _list(items: Schema, **more: object) -> Schema:
    return {"type": "array", "items": items, **more}


def _numbers(count: int) -> Schema:
    return _list({"type": "number"}, minItems=count, maxItems=count)


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "number"}
COUNT: Schema = {"type": "integer", "minimum": 0}
YES_OR_NO: Schema = {"type": "boolean"}
FRACTION: Schema = {"type": "number", "minimum": 0, "maximum": 1}
BOX: Schema = _numbers(4) | {
    "description": "Left, top, right and bottom edge, in pixels of the upright image."
}
PARAMETERS: Schema = {"type": "object"}

_PREDICTION_EXAMPLE = {
    "image": "cat.jpg",
    "label": "cat",
    "score": 0.81,
    "box": [25.5, 40.0, 310.0, 402.25],
    "probabilities": {"cat": 0.97, "dog": 0.03},
    "expected_iou": 0.84,
    "p_iou50": 0.99,
    "p_iou75": 0.86,
    "sigma": [6.5, 8.0, 7.25, 9.0],
    "familiar": 0.42,
    "is_familiar": True,
    "coverage": 0.9,
    "outer_box": [12.5, 24.0, 324.5, 420.25],
    "inner_box": [38.5, 56.0, 295.5, 384.25],
}

PREDICTION = _object(
    "label score box probabilities",
    {
        "image": TEXT | {"description": "Name of the uploaded file, as the client gave it."},
        "label": TEXT | {"description": "The most probable class."},
        "score": FRACTION,
        "box": _ref("Box"),
        "probabilities": {"type": "object", "additionalProperties": FRACTION},
        "present": FRACTION | {"description": "Probability that there is a subject at all."},
        "expected_iou": FRACTION,
        "p_iou50": FRACTION,
        "p_iou75": FRACTION,
        "sigma": _numbers(4) | {"description": "Standard deviation of each edge, in pixels."},
        "familiar": FRACTION,
        "is_familiar": YES_OR_NO,
        "coverage": FRACTION,
        "outer_box": _or_null(_ref("Box")),
        "inner_box": _or_null(_ref("Box")),
        "max_risk": FRACTION,
        "accepted": _or_null(YES_OR_NO),
        "keypoints": {
            "type": "object",
            "description": "x, y and confidence of each keypoint, by name.",
            "additionalProperties": _numbers(3),
        },
    },
    examples=[_PREDICTION_EXAMPLE],
)

_PROBLEM_EXAMPLE = {
    "type": "about:blank",
    "title": "Unsupported Media Type",
    "status": 415,
    "detail": "image of 4 bytes: is not an image in a supported format. Save it as JPEG or PNG.",
}

_TENSOR = {
    "name": TEXT,
    "datatype": {"enum": ["BOOL", "BYTES", "FP32", "UINT8"]},
    "shape": _list({"type": "integer"}),
}

SCHEMAS: Schema = {
    "Box": BOX | {"examples": [[25.5, 40.0, 310.0, 402.25]]},
    "Prediction": PREDICTION,
    "Problem": _object(
        "title status detail",
        {"type": TEXT, "title": TEXT, "status": {"type": "integer"}, "detail": TEXT},
        description="An error, as in RFC 9457; detail says what to repair.",
        examples=[_PROBLEM_EXAMPLE],
    ),
    "Predictions": _object(
        "predictions",
        {"predictions": _list({"anyOf": [_ref("Prediction"), _ref("Problem")]})},
        description="A prediction or a problem for each file, in order.",
        examples=[{"predictions": [_PREDICTION_EXAMPLE, _PROBLEM_EXAMPLE]}],
    ),
    "Model": _object(
        "name classes keypoints size presence is_calibrated coverage limits",
        {
            "name": TEXT,
            "classes": _list(TEXT),
            "keypoints": _or_null(
                _object(
                    "names skeleton",
                    {"names": _list(TEXT), "skeleton": _list(_list(COUNT))},
                )
            ),
            "size": COUNT | {"description": "Width and height of the network's input, in pixels."},
            "presence": YES_OR_NO,
            "is_calibrated": YES_OR_NO,
            "coverage": _or_null(FRACTION)
            | {"description": "A coverage that the calibration allows."},
            "limits": _object(
                "bytes pixels files", {"bytes": COUNT, "pixels": COUNT, "files": COUNT}
            ),
        },
        examples=[
            {
                "name": "model",
                "classes": ["cat", "dog"],
                "keypoints": {"names": ["nose", "tail"], "skeleton": [[0, 1]]},
                "size": 192,
                "presence": False,
                "is_calibrated": True,
                "coverage": 0.9,
                "limits": {"bytes": 33554432, "pixels": 100000000, "files": 64},
            }
        ],
    ),
    "InferenceServer": _object(
        "name version extensions",
        {"name": TEXT, "version": TEXT, "extensions": _list(TEXT)},
        examples=[{"name": "onebox", "version": "0.1.0", "extensions": ["binary_tensor_data"]}],
    ),
    "InferenceLive": _object("live", {"live": YES_OR_NO}, examples=[{"live": True}]),
    "InferenceReady": _object(
        "live ready",
        {"live": YES_OR_NO, "ready": YES_OR_NO},
        examples=[{"live": True, "ready": True}],
    ),
    "InferenceModelReady": _object(
        "name ready",
        {"name": TEXT, "ready": YES_OR_NO},
        examples=[{"name": "model", "ready": True}],
    ),
    "TensorMetadata": _object(
        "name datatype shape",
        _TENSOR,
        examples=[{"name": "image", "datatype": "UINT8", "shape": [-1, -1, -1, 3]}],
    ),
    "InferenceModel": _object(
        "name platform inputs outputs",
        {
            "name": TEXT,
            "versions": _list(TEXT),
            "platform": TEXT,
            "inputs": _list(_ref("TensorMetadata")),
            "outputs": _list(_ref("TensorMetadata")),
        },
        examples=[
            {
                "name": "model",
                "versions": ["1"],
                "platform": "onebox",
                "inputs": [
                    {"name": "image", "datatype": "UINT8", "shape": [-1, -1, -1, 3]},
                    {"name": "encoded_image", "datatype": "BYTES", "shape": [-1]},
                ],
                "outputs": [{"name": "box", "datatype": "FP32", "shape": [-1, 4]}],
            }
        ],
    ),
    "RequestInput": _object(
        "name datatype shape",
        _TENSOR
        | {
            "parameters": PARAMETERS,
            "data": _list({}, description="Numbers for UINT8; base64 text for BYTES."),
        },
    ),
    "RequestOutput": _object("name", {"name": TEXT, "parameters": PARAMETERS}),
    "InferenceRequest": _object(
        "inputs",
        {
            "id": TEXT,
            "parameters": _object(
                "",
                {
                    "binary_data_output": YES_OR_NO,
                    "coverage": FRACTION,
                    "max_risk": FRACTION,
                },
            ),
            "inputs": _list(_ref("RequestInput"), minItems=1, maxItems=1),
            "outputs": _list(_ref("RequestOutput")),
        },
        examples=[
            {
                "id": "7",
                "inputs": [
                    {
                        "name": "encoded_image",
                        "datatype": "BYTES",
                        "shape": [1],
                        "data": ["/9j/4AAQSkZJRg=="],
                    }
                ],
                "outputs": [{"name": "box"}, {"name": "label"}],
            }
        ],
    ),
    "ResponseOutput": _object(
        "name datatype shape",
        _TENSOR
        | {
            "parameters": PARAMETERS,
            "data": _list({"type": ["number", "string", "boolean", "null"]}),
        },
    ),
    "InferenceResponse": _object(
        "model_name outputs",
        {
            "model_name": TEXT,
            "model_version": TEXT,
            "id": TEXT,
            "outputs": _list(_ref("ResponseOutput")),
        },
        examples=[
            {
                "model_name": "model",
                "model_version": "1",
                "id": "7",
                "outputs": [
                    {
                        "name": "box",
                        "datatype": "FP32",
                        "shape": [1, 4],
                        "data": [25.5, 40.0, 310.0, 402.25],
                    },
                    {"name": "label", "datatype": "BYTES", "shape": [1], "data": ["cat"]},
                ],
            }
        ],
    ),
    "InferenceError": _object(
        "error",
        {"error": TEXT},
        examples=[{"error": "the request lacks 'inputs'. Add it."}],
    ),
}
"""Every object, by its name under ``#/components/schemas``."""
