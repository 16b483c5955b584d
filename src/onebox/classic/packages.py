"""The packages of ``onebox[classic]``, imported when they are first needed."""

from functools import partial

from onebox.optional import require

require_classic = partial(require, extra="classic", purpose="the classic systems")
"""Import a module of OpenCV, scikit-image or scikit-learn; see `onebox.optional.require`."""
