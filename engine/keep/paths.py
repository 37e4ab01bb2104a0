"""Every key of the store is made and read here, and nowhere else. See DESIGN for the layout in one view.

    format.json                                    version of the layout
    t/{tenant}/o/{xx}/{object name}                objects; xx = the first two digits of the hash
    t/{tenant}/j/{writer}/{epoch 8}/{number 16}    journal batches
    t/{tenant}/s/...                               snapshots and compactions
    t/{tenant}/w/{number 16}                       writers stream: epochs opened and sealed
    t/{tenant}/u/{number 16}                       worklist: a shared table (``shared_table.py``)
    c/{stream}/{number 16}                         control streams
    n/{node}                                       heartbeats

An *object name* is ``{hash}[.n][~version].dcm``: 32 hex digits (XXH3-128 of the bytes), ``.n`` for the n-th other
content under the same hash, ``~version`` for a key that was tombstoned once. Numbers are decimal with leading zeros,
so that keys sort as numbers do; numbers and epochs begin with 1.
"""

import re
from typing import Final

import msgspec

from engine.errors import Invalid

FORMAT_KEY: Final = "format.json"
NUMBER_MAX: Final = 10**16 - 1
EPOCH_MAX: Final = 10**8 - 1

_TENANT = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_WRITER = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_STREAM = re.compile(r"[a-z][a-z0-9-]{0,62}")
_HASH = re.compile(r"[0-9a-f]{32}")
_OBJECT_NAME = re.compile(r"([0-9a-f]{32})(?:\.([1-9][0-9]{0,3}))?(?:~([0-9a-z]{1,32}))?")
_SEGMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,199}")
_BATCH_KEY = re.compile(r"t/([^/]+)/j/([^/]+)/([0-9]{8})/([0-9]{16})")
_OBJECT_KEY = re.compile(r"t/([^/]+)/o/([0-9a-f]{2})/([^/]+)\.dcm")


class ObjectName(msgspec.Struct, frozen=True):
    """The parts of an object's name. ``str()`` gives it back."""

    hash: str
    collision: int = 0
    version: str = ""

    def __str__(self) -> str:
        return (
            self.hash + (f".{self.collision}" if self.collision else "") + (f"~{self.version}" if self.version else "")
        )


class BatchKey(msgspec.Struct, frozen=True):
    """The parts of a journal batch's key."""

    tenant: str
    writer: str
    epoch: int
    number: int


def check_key(key: str) -> str:
    """The key itself, if a store may hold it: relative, no empty, hidden or upward part. Raises ``Invalid``."""
    if not key or len(key) > 1000 or not all(_SEGMENT.fullmatch(part) for part in key.split("/")):
        raise Invalid(f"not a key of a store: {key[:200]!r}")
    return key


def check_prefix(prefix: str) -> str:
    """A prefix names a whole folder: empty, or a key followed by ``/``. Raises ``Invalid``."""
    if prefix:
        if not prefix.endswith("/"):
            raise Invalid(f"a prefix ends with a slash: {prefix[:200]!r}")
        check_key(prefix[:-1])
    return prefix


def check_tenant(tenant: str) -> str:
    """The tenant itself, if it is a name: 1 to 63 lower-case letters, digits and inner hyphens. Raises ``Invalid``."""
    if not _TENANT.fullmatch(tenant):
        raise Invalid(f"not a tenant name (lower-case letters, digits, inner hyphens, at most 63): {tenant[:100]!r}")
    return tenant


def tenant_prefix(tenant: str) -> str:
    return f"t/{check_tenant(tenant)}/"


def parse_object_name(name: str) -> ObjectName:
    """Reads ``{hash}[.n][~version]`` (without ``.dcm``). Raises ``Invalid``."""
    if not (match := _OBJECT_NAME.fullmatch(name)):
        raise Invalid(f"not the name of an object: {name[:100]!r}")
    return ObjectName(match[1], int(match[2] or 0), match[3] or "")


def object_prefix(tenant: str) -> str:
    return f"{tenant_prefix(tenant)}o/"


def object_key(tenant: str, name: str) -> str:
    """Key of the object ``name`` (what records call ``key``). Raises ``Invalid``."""
    parse_object_name(name)
    return f"{object_prefix(tenant)}{name[:2]}/{name}.dcm"


def parse_object_key(key: str) -> tuple[str, ObjectName]:
    """Tenant and name of an object's key. Raises ``Invalid``."""
    match = _OBJECT_KEY.fullmatch(key)
    if not match or not match[3].startswith(match[2]):
        raise Invalid(f"not the key of an object: {key[:200]!r}")
    return check_tenant(match[1]), parse_object_name(match[3])


def check_writer(writer: str) -> str:
    if not _WRITER.fullmatch(writer):
        raise Invalid(f"not a writer's name: {writer[:100]!r}")
    return writer


def journal_prefix(tenant: str) -> str:
    return f"{tenant_prefix(tenant)}j/"


def writer_prefix(tenant: str, writer: str) -> str:
    return f"{journal_prefix(tenant)}{check_writer(writer)}/"


def epoch_prefix(tenant: str, writer: str, epoch: int) -> str:
    return f"{writer_prefix(tenant, writer)}{_number(epoch, 8, EPOCH_MAX)}/"


def batch_key(tenant: str, writer: str, epoch: int, number: int) -> str:
    return f"{epoch_prefix(tenant, writer, epoch)}{_number(number, 16, NUMBER_MAX)}"


def parse_batch_key(key: str) -> BatchKey:
    """Raises ``Invalid``."""
    if not (match := _BATCH_KEY.fullmatch(key)):
        raise Invalid(f"not the key of a journal batch: {key[:200]!r}")
    return BatchKey(check_tenant(match[1]), check_writer(match[2]), int(match[3]), int(match[4]))


def writers_prefix(tenant: str) -> str:
    return f"{tenant_prefix(tenant)}w/"


def writers_key(tenant: str, number: int) -> str:
    return f"{writers_prefix(tenant)}{_number(number, 16, NUMBER_MAX)}"


def worklist_prefix(tenant: str) -> str:
    return f"{tenant_prefix(tenant)}u/"


def numbered(prefix: str, number: int) -> str:
    """The key of an entry of a stream that stands below ``prefix``."""
    return f"{check_prefix(prefix)}{_number(number, 16, NUMBER_MAX)}"


def control_prefix(stream: str) -> str:
    if not _STREAM.fullmatch(stream):
        raise Invalid(f"not the name of a control stream: {stream[:100]!r}")
    return f"c/{stream}/"


def control_key(stream: str, number: int) -> str:
    return f"{control_prefix(stream)}{_number(number, 16, NUMBER_MAX)}"


def heartbeat_key(node: str) -> str:
    return f"n/{check_writer(node)}"


def parse_number(key: str) -> int:
    """The number that ends the key of a stream entry. Raises ``Invalid``."""
    last = key.rpartition("/")[2]
    if len(last) != 16 or not last.isascii() or not last.isdigit():
        raise Invalid(f"not a numbered key: {key[:200]!r}")
    return int(last)


def _number(value: int, digits: int, largest: int) -> str:
    if not 1 <= value <= largest:
        raise Invalid(f"not a number of a stream: {value}")
    return f"{value:0{digits}d}"
