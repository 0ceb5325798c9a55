"""Why the door lets somebody not in, or an act not be done: each with its status and code."""

from __future__ import annotations

from core.access.table import Refusal
from core.problems import ProblemError


class NotFoundError(ProblemError):
    """It doesn't exist, or it isn't the visitor's: the two look the same."""

    status, code = 404, "not_found"


class KeyGoneError(ProblemError):
    """What was shown was made by a login or for a guest that is no more."""

    status, code = 401, "signed_out"


class EndedError(ProblemError):
    """The session has ended, and the visitor wasn't in it."""

    status, code = 403, "ended"


class NeedsNameError(ProblemError):
    """The session can be joined by a guest who gives a name, or by signing in."""

    status, code = 401, "unknown_visitor"


class SignedOutError(ProblemError):
    """Nobody known asks for what only somebody known may do."""

    status, code = 401, "signed_out"


class FullError(ProblemError):
    """As many people came to the session as may, and the visitor is no host, member or of them."""

    status, code = 403, "full"


class RefusedError(ProblemError):
    """The visitor may not come in; `code` says why."""

    status = 403

    def __init__(self, code: Refusal) -> None:
        super().__init__(code)
        self.code: Refusal = code


class ProtectedError(ProblemError):
    """The session's creator and its space's owners can't be removed from it."""

    status, code = 403, "is_host"
