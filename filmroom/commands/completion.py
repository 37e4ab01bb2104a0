"""filmroom completion."""

from typing import Literal

from filmroom.exits import Exit

Shell = Literal["bash", "zsh", "fish"]
# The generated zsh function is only defined: zsh must call it when it loads the file, and learn of it when sourced.
ZSH_CALL = """
if [[ $funcstack[1] == _filmroom ]]; then
  _cyclopts_filmroom "$@"
else
  compdef _cyclopts_filmroom filmroom
fi"""


def completion(shell: Shell, /) -> int:
    """A script that completes commands and options in a shell, made of the parser itself.

    For bash: source <(filmroom completion bash). For fish: filmroom completion fish | source. For zsh, into a folder of
    fpath: filmroom completion zsh > FOLDER/_filmroom.

    Parameters
    ----------
    shell
        bash, zsh or fish.
    """
    from filmroom.cli import app  # which names this module

    script = app.generate_completion(prog_name="filmroom", shell=shell)
    print(script + ZSH_CALL if shell == "zsh" else script)
    return Exit.OK
