"""Object localization: one picture, one subject - what it is, where it is, and how sure."""
