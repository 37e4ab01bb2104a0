"""The command ``filmroom``: runs one command and turns errors into one line and an exit code."""

import os
import signal
import sys
from collections.abc import Sequence

signal.signal(signal.SIGINT, signal.SIG_DFL)  # until a command runs, Ctrl-C ends it without a word (130)

from filmroom.exits import Exit, code_of, leaf_of, sentence_of  # noqa: E402


def main(words: Sequence[str] | None = None) -> None:
    """Entry point. Exit codes: 0 ok, 1 the answer is no, 2 usage, 3 cannot reach, 4 not allowed, 130 interrupted."""
    sys.exit(run(sys.argv[1:] if words is None else words))


def run(words: Sequence[str]) -> int:
    """Run one command line; the exit code."""
    from cyclopts import CycloptsError, UnknownCommandError

    from filmroom.cli import app

    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        answer = app(list(words), exit_on_error=False, result_action="return_value")
        sys.stdout.flush()
        return answer if isinstance(answer, int) else 0
    except CycloptsError as error:
        if isinstance(error, UnknownCommandError):
            print("filmroom: `filmroom --help` lists them all", file=sys.stderr)
        return Exit.USAGE
    except BrokenPipeError:  # the reader has seen enough: `filmroom find | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.OK
    except BaseException as error:
        cause = leaf_of(error)
        code = code_of(cause)
        if code is None:
            raise
        if code != Exit.INTERRUPTED:
            print(f"filmroom: {sentence_of(cause)}", file=sys.stderr)
        return code


if __name__ == "__main__":
    main()
