"""Before neural networks: Haar cascades that label images, HOG and SVM that localize.

Both find a subject by trying a window at many places and scales of an image. `haar` is trained
already and makes labels; `training` makes a `localizer` that answers like any other model.
"""
