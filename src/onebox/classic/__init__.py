"""Before neural networks: Haar cascades that label images, HOG windows and SVMs that localize.

Both try a window at many positions and scales of an image. `haar` uses cascades that are already
trained, and writes labels; `hog_training` trains a `hog_localizer`, which predicts like any model.
"""
