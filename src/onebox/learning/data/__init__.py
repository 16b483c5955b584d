"""Training data: images decoded once, batches of tensors, augmentation."""
