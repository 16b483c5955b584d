"""Other forms of a ``model.onnx``: smaller, faster, or for another runtime. No PyTorch in any.

============ =============================================================================
``fp32``      the file itself, copied
``int8``      its backbone in 8 bits (static QDQ), calibrated on validation images
``openvino``  OpenVINO IR: an ``.xml`` and a ``.bin``
============ =============================================================================

None is kept that does not hold: `making` measures each against the file that it came from, and
writes nothing where it answers worse.
"""
