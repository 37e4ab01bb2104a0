"""Which viewer it is, and where it lies."""

import hashlib
import os
from base64 import b64decode
from pathlib import Path
from typing import IO, Final

from engine import Invalid
from protocols.web import ALTERED

NAME: Final = "@ohif/app"
VERSION: Final = "3.13.2"
# Of what is laid down of it: another one when that changes, so that an older folder is not taken for it.
EDITION: Final = 1
# What npm says of the package (`npm view @ohif/app@3.13.2 dist.integrity`): it is this one, wherever it came from.
INTEGRITY: Final = "sha512-WZdxmpmG7rqFgW9ZJLcbgr3XCtLi1KDNPoMaeY5PPe6j4G4fjEjjkycZM6C6Zk2F87BKxFfpq+jd5xXZB9E8EA=="
URL: Final = "https://registry.npmjs.org/@ohif/app/-/app-3.13.2.tgz"
PACKED_BYTES_MAX: Final = 64 << 20  # it has 48 MiB
PIECE_BYTES: Final = 1 << 20


def folder() -> Path:
    """Where viewers are laid down: in the user's data folder (XDG). Raises Invalid where there is none."""
    said = os.environ.get("XDG_DATA_HOME", "")
    if Path(said).is_absolute():
        return Path(said) / "filmroom" / "ohif"
    try:
        return Path.home() / ".local" / "share" / "filmroom" / "ohif"
    except RuntimeError:
        raise Invalid("this user has no home folder: XDG_DATA_HOME says where data of the user are kept") from None


def place() -> Path:
    """Where this viewer is, when it is installed. Raises Invalid as ``folder``."""
    return folder() / f"{VERSION}-{EDITION}"


def is_installed() -> bool:
    """Whether a node would find it."""
    try:
        return (place() / ALTERED).is_file()
    except Invalid:
        return False


def check(packed: IO[bytes], what: str) -> None:
    """Read it to its end, and go back to its beginning. Raises Invalid when it is not the package that is meant."""
    seen, size = hashlib.sha512(), 0
    while piece := packed.read(PIECE_BYTES):
        seen.update(piece)
        if (size := size + len(piece)) > PACKED_BYTES_MAX:
            break
    if size > PACKED_BYTES_MAX or seen.digest() != b64decode(INTEGRITY.removeprefix("sha512-")):
        raise Invalid(f"{what} is not {NAME} {VERSION} as npm has it (sha512): nothing was installed")
    packed.seek(0)
