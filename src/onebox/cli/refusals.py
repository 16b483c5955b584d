"""What the system refuses, in words: a disk, a permission, memory."""

import errno

_REPAIRS = {
    errno.ENOSPC: "Free space on the disk.",
    errno.EDQUOT: "Free space on the disk, or raise the quota.",
    errno.EACCES: "Change its permissions, or name another place.",
    errno.EPERM: "Change its permissions, or name another place.",
    errno.EROFS: "Name a place on a disk that can be written.",
    errno.EMFILE: "Raise the limit of open files (ulimit -n).",
    errno.ENOMEM: "Close other programs, or do less at a time.",
}
_LONGEST = 160  # letters of what a library says; not tuned
_OTHERWISE = "Check the disk, and start again."


def explain_system_error(error: OSError) -> str:
    """A message that names the place, the reason and the repair."""
    # Without a name, it is most of all a full disk behind standard output.
    nameless = "a file" if error.errno == errno.EIO else "standard output"
    place = error.filename or nameless
    repair = _REPAIRS.get(error.errno or 0, _OTHERWISE)
    return f"{place}: {error.strerror or error}. {repair}"


def explain_out_of_memory(error: Exception) -> str:
    """A message that names the reason and the repair."""
    lines = str(error).strip().splitlines()
    detail = f" ({lines[0][:_LONGEST]})" if lines else ""
    return (
        f"the memory does not suffice{detail}. Close other programs, raise the limit of this "
        "process, or do less at a time: fewer threads, smaller images or a smaller batch."
    )
