"""The package from npm's registry: by npm itself, which knows the user's; without npm from the public one."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final

import trio

from filmroom.exits import Unreachable
from filmroom.viewer.package import NAME, PACKED_BYTES_MAX, URL, VERSION

OFFLINE: Final = (
    f"where there is a network: npm pack {NAME}@{VERSION}; then here: filmroom viewer install --from FILE.tgz"
)
_SAID_MAX: Final = 200
# Where there is no network npm would try for more than a minute.
_OPTIONS: Final = ("--ignore-scripts", "--fetch-retries=1", "--fetch-retry-mintimeout=500", "--no-update-notifier")


async def fetch(scratch: Path, seconds: float, say: Callable[[str], None]) -> Path:
    """The packed file in ``scratch``, unchecked. Raises Unreachable, also when it takes longer than ``seconds``."""
    with trio.move_on_after(seconds):
        npm = shutil.which("npm")
        say(f"fetching {NAME} {VERSION} (48 MiB) {'by npm' if npm else f'from {URL}'}")
        return await (_by_npm(npm, scratch) if npm else _by_https(scratch))
    raise Unreachable(f"the viewer did not come within {seconds:.0f} seconds; {OFFLINE}")


async def _by_npm(npm: str, scratch: Path) -> Path:
    command = [npm, "pack", f"{NAME}@{VERSION}", "--pack-destination", str(scratch), *_OPTIONS]
    try:
        done = await trio.run_process(
            command, cwd=scratch, capture_stdout=True, capture_stderr=True, stdin=subprocess.DEVNULL, check=False
        )
    except OSError as error:
        raise Unreachable(f"npm cannot be run ({error.strerror}); {OFFLINE}") from error
    found = sorted(await trio.Path(scratch).glob("*.tgz"))
    if done.returncode or not found:
        raise Unreachable(f"npm could not fetch the viewer{_reason(done.stderr)}; {OFFLINE}")
    return Path(found[0])


def _reason(said: bytes) -> str:
    """The first of npm's lines that is a sentence."""
    for line in said.decode("utf-8", "replace").splitlines():
        kind, _, text = line.strip().partition(" error ")
        if kind == "npm" and text and not text.startswith(("code ", "errno ", "syscall ")):
            return f": {text[:_SAID_MAX]}"
    return ""


async def _by_https(scratch: Path) -> Path:
    import httpx

    into = scratch / "package.tgz"
    try:
        async with (
            httpx.AsyncClient(timeout=30, follow_redirects=True) as client,
            client.stream("GET", URL) as answer,
            await trio.open_file(into, "wb") as file,
        ):
            answer.raise_for_status()
            size = 0
            async for piece in answer.aiter_bytes():
                if (size := size + len(piece)) > PACKED_BYTES_MAX:
                    raise Unreachable(f"{URL} gives more than the viewer has; {OFFLINE}")
                await file.write(piece)
    except httpx.HTTPError as error:
        raise Unreachable(f"{URL} cannot be fetched ({str(error) or type(error).__name__}); {OFFLINE}") from error
    return into
