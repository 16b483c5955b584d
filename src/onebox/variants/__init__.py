"""Variants of a ``model.onnx``: smaller, faster, or for another runtime. None needs PyTorch.

============ =============================================================================
``fp32``      a copy of the file
``int8``      the backbone in 8 bits (static QDQ), calibrated on validation images
``openvino``  OpenVINO IR: an ``.xml`` and a ``.bin``
============ =============================================================================

`pipeline.make` compares each variant with its model, and keeps only a variant that passes its gate.
"""
