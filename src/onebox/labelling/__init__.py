"""A labelling session: images in a folder, labels in a file, a model that trains meanwhile."""
