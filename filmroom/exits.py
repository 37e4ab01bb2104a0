"""Exit codes, and which error ends in which."""

from enum import IntEnum


class Exit(IntEnum):
    """What a script can tell from the outcome."""

    OK = 0
    NO = 1
    USAGE = 2
    UNREACHABLE = 3
    NOT_ALLOWED = 4
    INTERRUPTED = 130


class Unreachable(Exception):
    """A port is taken, a folder is held, a node does not answer. One readable sentence."""


def leaf_of(error: BaseException) -> BaseException:
    """The first error inside groups of errors."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def sentence_of(error: BaseException) -> str:
    """The error for people: what and where, without numbers."""
    from engine import Corrupt

    if isinstance(error, Corrupt):  # nothing of it is guessed or skipped: what is left is only as good as all of it
        return f"{error}: bring it back from a copy of the archive (docs/reliability.md: damaged bytes)"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


def code_of(error: BaseException) -> int | None:
    """The exit code of an expected error; None for a defect of ours, which shows its trace."""
    if isinstance(error, KeyboardInterrupt):
        return Exit.INTERRUPTED
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else Exit.USAGE
    if isinstance(error, PermissionError):
        return Exit.NOT_ALLOWED
    if isinstance(error, (Unreachable, OSError)):
        return Exit.UNREACHABLE
    from engine import Conflict, Corrupt, Fenced, FilmroomError, Invalid, Unavailable

    if isinstance(error, Invalid):
        return Exit.USAGE
    if isinstance(error, Corrupt):
        return Exit.NO
    if isinstance(error, Unavailable) and isinstance(error.__cause__, PermissionError):
        return Exit.NOT_ALLOWED
    if isinstance(error, (Conflict, Fenced, Unavailable)):
        return Exit.UNREACHABLE
    return Exit.NO if isinstance(error, FilmroomError) else None
