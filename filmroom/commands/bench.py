"""filmroom bench."""

from typing import Annotated

from cyclopts import Parameter


def bench(*words: Annotated[str, Parameter(allow_leading_hyphen=True)]) -> int:
    """Measure this archive and others beside it, as the paper did.

    filmroom bench quick takes two minutes; filmroom bench --help names the rest.

    Parameters
    ----------
    words
        quick, paper, run SUITE..., compare A B, and their options.
    """
    from bench.__main__ import main  # a room of its own, with a parser that python -m bench reads with, too

    try:
        return main(words, "filmroom bench")
    except SystemExit as ended:  # help was asked for, or the words were wrong: all is said
        return int(ended.code or 0)
