"""Why Sessions can't start: for whoever starts it, in words that the edge translates."""

from __future__ import annotations

import errno

from core.words import N_, Words


class StartError(Exception):
    """Sessions can't start; `words` say why and what to do, as a part of a sentence.

    None of them has a secret. `str()` is English, for logs and tests.
    """

    def __init__(self, text: str, /, **values: object) -> None:
        self.words = Words(text, **values)
        super().__init__(self.words)


# As Linux has them in English; what isn't here is said as the system says it.
_OF_SYSTEM = {
    errno.EPERM: N_("Operation not permitted"),
    errno.ENOENT: N_("No such file or directory"),
    errno.EIO: N_("Input/output error"),
    errno.EACCES: N_("Permission denied"),
    errno.EEXIST: N_("File exists"),
    errno.ENOTDIR: N_("Not a directory"),
    errno.EISDIR: N_("Is a directory"),
    errno.EMFILE: N_("Too many open files"),
    errno.ENOSPC: N_("No space left on device"),
    errno.EROFS: N_("Read-only file system"),
    errno.ENAMETOOLONG: N_("File name too long"),
    errno.ELOOP: N_("Too many levels of symbolic links"),
    errno.EDQUOT: N_("Disk quota exceeded"),
    errno.ECONNREFUSED: N_("Connection refused"),
}


def of_system(problem: OSError) -> Words:
    """Return why the system refuses."""
    return Words(_OF_SYSTEM.get(problem.errno or 0, problem.strerror or type(problem).__name__))


def of_file(problem: OSError, file: object = None) -> Words:
    """Return why, and of which file: the one that the system names, else `file`."""
    named = file if problem.filename is None else problem.filename
    why = of_system(problem)
    return why if named is None else Words("%(why)s: %(file)s", why=why, file=named)
