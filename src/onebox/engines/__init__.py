"""What runs a network's file: ONNX Runtime or OpenVINO, behind one protocol."""
