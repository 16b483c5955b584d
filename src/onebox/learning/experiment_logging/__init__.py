"""Experiment loggers through Lightning: TensorBoard, MLflow, Weights & Biases, and CSV."""
