"""Everything that needs PyTorch: recipe and data set in, one ONNX file out."""
