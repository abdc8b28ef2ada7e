"""What can go wrong, in one tree.

Every fault that a user can meet is one of these; `taplogs.__main__` turns them into words and an exit code.

    TaplogsError                 1  unexpected, local I/O
    ├── UsageError               2  an option, a time expression, a filter
    │   └── ConfigurationError   2  the config file, a profile
    ├── EmptyResult              3  --fail-on-empty
    ├── AssertionUnmet           3  an assertion of `check`
    ├── AuthenticationError      4  no API key, or one that is refused
    ├── EntryNotFound            5  no entry has this id
    ├── GroupNotFound            5  no group of errors has this hash
    ├── BackendError             6  unreachable, failing, or not speaking the contract
    │   └── RateLimited          6  429 after all retries
    ├── IncompleteExport         7  not all of it is there; what came is kept to be gone on with, or finished as it is
    ├── IncompleteSync           7  not all of it was pulled, but what was is kept, and the next run goes on
    ├── IncompleteWindow         7  not all of what was to be looked at is there, and the rest says nothing of it
    └── VerificationFailed       8  evidence that is not what it says it is
"""

from __future__ import annotations

from collections.abc import Collection
from enum import IntEnum


class ExitCode(IntEnum):
    """The exit codes of every command, as the README documents them."""

    SUCCESS = 0
    FAILURE = 1
    USAGE = 2
    ASSERTION = 3
    AUTHENTICATION = 4
    NOT_FOUND = 5
    BACKEND = 6
    INCOMPLETE = 7
    VERIFICATION = 8
    INTERRUPTED = 130
    PIPE_CLOSED = 141


class TaplogsError(Exception):
    """A fault with words for the user: what happened (`message`) and what to do next (`hint`)."""

    code = "failure"
    exit_code = ExitCode.FAILURE

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(TaplogsError):
    """An option, a time expression or a filter that cannot be understood; nothing was sent."""

    code = "usage"
    exit_code = ExitCode.USAGE


class ConfigurationError(UsageError):
    """A config file, profile or setting that cannot be used; nothing was sent."""

    code = "configuration"


class EmptyResult(TaplogsError):
    """Nothing matched, and the user asked for that to be a failure."""

    code = "empty_result"
    exit_code = ExitCode.ASSERTION


class AssertionUnmet(TaplogsError):
    """An assertion of the user's does not hold, or too few requests speak for it."""

    code = "assertion"
    exit_code = ExitCode.ASSERTION


class AuthenticationError(TaplogsError):
    """There is no usable API key, or the backend refuses it."""

    code = "authentication"
    exit_code = ExitCode.AUTHENTICATION


class EntryNotFound(TaplogsError):
    """No entry has this id."""

    code = "entry_not_found"
    exit_code = ExitCode.NOT_FOUND


class GroupNotFound(TaplogsError):
    """No group of errors in the window has this hash."""

    code = "group_not_found"
    exit_code = ExitCode.NOT_FOUND


class BackendError(TaplogsError):
    """The backend cannot be reached, fails, or answers something that is not the contract."""

    code = "backend"
    exit_code = ExitCode.BACKEND


class RateLimited(BackendError):
    """The backend limits the rate, and waiting longer is not allowed."""

    code = "rate_limited"


class IncompleteExport(TaplogsError):
    """An export lacks something: nothing was begun, what came is kept, or it was finished as it is.

    What is kept can be gone on with; what --allow-partial has finished cannot.
    """

    code = "incomplete"
    exit_code = ExitCode.INCOMPLETE


class IncompleteSync(TaplogsError):
    """A sync ended before its end; what it pulled is kept, and the next one goes on."""

    code = "incomplete"
    exit_code = ExitCode.INCOMPLETE


class IncompleteWindow(TaplogsError):
    """A store lacks a part of the window that was to be looked at; of the rest, nothing is wrong."""

    code = "incomplete"
    exit_code = ExitCode.INCOMPLETE


class VerificationFailed(TaplogsError):
    """Evidence is not what it says it is, is not whole, or is not there."""

    code = "verification"
    exit_code = ExitCode.VERIFICATION


def chosen(option: str, text: str, names: Collection[str]) -> str:
    """Return the one of `names`, in small letters, that is `text` in any case; raises UsageError."""
    name = text.lower()
    if name not in names:
        raise UsageError(f"{option} {text!r} is not understood", f"accepted: {', '.join(names)}")
    return name
