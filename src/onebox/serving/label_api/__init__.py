"""A labelling session over HTTP."""
