"""filmroom completion: the shells themselves complete what the parser's help shows, and nothing else."""

import os
import pty
import re
import select
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.filmroom.running import run

SECONDS = 10
GROUPS = ("aet", "config")


def needs(shell: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(shell) is None, reason=f"{shell} is not installed: apt-get install {shell}")


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one script a shell."""
    folder = tmp_path_factory.mktemp("completion")
    for shell, name in (("bash", "filmroom.bash"), ("zsh", "_filmroom"), ("fish", "filmroom.fish")):
        done = run("completion", shell)
        assert done.returncode == 0, done.stderr
        (folder / name).write_text(done.stdout)
    return folder


def commands_of(*group: str) -> set[str]:
    """As ``--help`` lists them."""
    table = run(*group, "--help").stdout.partition("Commands")[2]
    return set(re.findall(r"^[│ ]*([a-z]+)  ", table, re.MULTILINE))


def options_of(*command: str) -> set[str]:
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", run(*command, "--help").stdout.partition("Parameters")[2]))


def bash_completes(scripts: Path, *words: str) -> set[str]:
    """What bash offers for the last word: the function that ``complete`` names, called as bash calls it."""
    typed = " ".join(map(shlex.quote, ("filmroom", *words)))
    script = f"""
        source {shlex.quote(str(scripts / "filmroom.bash"))}
        COMP_WORDS=({typed}) COMP_CWORD={len(words)} COMP_LINE={shlex.quote(typed)} COMP_POINT={len(typed)}
        named=$(complete -p filmroom) && [[ $named =~ -F\\ ([^ ]+) ]] && "${{BASH_REMATCH[1]}}"
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(
        ["bash", "--norc", "-c", script], capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.stderr == "", done.stderr
    return set(done.stdout.split())


def fish_completes(scripts: Path, typed: str) -> set[str]:
    script = f"source {shlex.quote(str(scripts / 'filmroom.fish'))}; complete -C {shlex.quote(typed)}"
    done = subprocess.run(
        ["fish", "--no-config", "-c", script],
        cwd=scripts,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    offered = {line.split("\t")[0] for line in done.stdout.splitlines()}
    return offered - {file.name for file in scripts.iterdir()}  # fish adds files to whatever it offers


def test_bash_completes_every_command(scripts: Path) -> None:
    names = commands_of()
    assert {"serve", "send", "doctor", "completion", *GROUPS} <= names
    assert bash_completes(scripts, "") == names
    assert bash_completes(scripts, "ver") == {"verify", "versions"}
    for group in GROUPS:
        assert bash_completes(scripts, group, "") == commands_of(group)
    assert bash_completes(scripts, "completion", "") == {"bash", "zsh", "fish"}


@pytest.mark.parametrize(
    "command", ["serve", "import", "export", "send", "find", "rm", "versions", "aet add", "doctor"]
)
def test_bash_completes_every_option(scripts: Path, command: str) -> None:
    options = options_of(*command.split())
    assert "--config" in options
    assert bash_completes(scripts, *command.split(), "--") - {"--help", "--version"} == options


@needs("fish")
def test_fish_completes(scripts: Path) -> None:
    assert fish_completes(scripts, "filmroom ") == commands_of()
    assert fish_completes(scripts, "filmroom aet ") == commands_of("aet")
    assert options_of("send") <= fish_completes(scripts, "filmroom send --")


@needs("zsh")
@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("doct", "filmroom doctor "),
        ("aet te", "filmroom aet test "),
        ("send --js", "--json  -- One JSON document"),
        ("completion fi", "filmroom completion fish "),
    ],
)
def test_zsh_completes(scripts: Path, typed: str, completed: str) -> None:
    """Typed on a terminal, with the Tab key."""
    ours, theirs = pty.openpty()
    environment = {"PATH": os.environ["PATH"], "TERM": "dumb", "ZDOTDIR": str(scripts), "HOME": str(scripts)}
    with subprocess.Popen(
        ["zsh", "-f", "-i"], stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True
    ) as zsh:
        os.close(theirs)
        try:
            folder = shlex.quote(str(scripts))
            begin = f"PS1=; fpath=({folder} $fpath); autoload -Uz compinit; compinit -u -D; echo rea''dy\r"
            os.write(ours, begin.encode())
            heard(ours, "ready\r\n")
            os.write(ours, f"filmroom {typed}\t".encode())
            assert completed in heard(ours, completed)
        finally:
            zsh.kill()
            os.close(ours)


def heard(terminal: int, wanted: str) -> str:
    """What the terminal says until it has said this."""
    said = ""
    while wanted not in said:
        assert select.select([terminal], [], [], SECONDS)[0], said
        said += os.read(terminal, 4096).decode("utf-8", "replace")
    return said


def test_another_shell_is_a_usage_error() -> None:
    done = run("completion", "tcsh")
    assert done.returncode == 2 and done.stdout == ""
