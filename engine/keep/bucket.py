"""Objects in a bucket (S3, GCS, Azure), or in memory: the only file that imports obstore.

Its synchronous calls are used: its asynchronous ones need asyncio, and the synchronous ones release the GIL. Retries
and time-outs stay below what callers wait for; obstore's own would retry for minutes. A store that does not answer
opens a circuit: for a moment every call is refused at once instead of being sent after the others.
"""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any, Final, TypeVar

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import MemoryStore as ObstoreMemory
from obstore.store import from_url

from engine.clock import Clock
from engine.errors import Conflict, Invalid, Missing, Unavailable
from engine.keep.content_digest import address as content_address
from engine.keep.copying import Buffer, copy_parts, map_range
from engine.keep.paths import check_key, check_prefix
from engine.limits import LIMITS, Limits
from engine.model import FileRange
from engine.settings import StoreSettings

S = TypeVar("S")
T = TypeVar("T")
NO_BUCKET: Final = ("NoSuchBucket", "ContainerNotFound")  # codes of S3 and GCS, of Azure
SCHEMES: Final = ("s3", "s3a", "gs", "az", "azure", "adl", "abfs", "abfss")


class BucketStore:
    """Objects behind one URL. What a call returned from is durable; ``durable`` says nothing more here."""

    pending_count = 0

    def __init__(self, inner: Any, *, clock: Clock | None = None, limits: Limits = LIMITS, remote: bool = True) -> None:
        """``inner``: a store of obstore's. ``remote``: calls take a round trip, so that many go out at once."""
        self._inner = inner
        self._limits = limits
        self._circuit = Circuit(clock or Clock(), limits)
        self._threads = ThreadPoolExecutor(limits.bucket_requests_count_max, "filmroom-bucket") if remote else None

    def create(self, key: str, parts: Sequence[Buffer], *, durable: bool) -> None:
        check_key(key)
        # obstore's memory keeps a reference to what it is given: hand it bytes that nobody changes.
        content = b"".join(parts)
        self._ask(key, lambda: obstore.put(self._inner, key, content, mode="create", use_multipart=False))

    def put(self, key: str, parts: Sequence[Buffer], *, durable: bool) -> None:
        check_key(key)
        content = b"".join(parts) if self._threads is None or len(parts) != 1 else parts[0]
        size, part = self._limits.bucket_put_bytes_max, self._limits.bucket_part_bytes
        at_once = max(1, size // part)
        self._ask(key, lambda: obstore.put(self._inner, key, content, chunk_size=part, max_concurrency=at_once))

    def copy_in(self, key: str, fd: int, offset: int, length: int, *, durable: bool) -> None:
        if length <= self._limits.bucket_put_bytes_max:
            self.create(key, copy_parts(fd, offset, length), durable=durable)
            return
        # In parts there is no "create only". Who else writes this key writes the same bytes: the key is their hash.
        if self.exists(key):
            raise Conflict(f"{key} exists")
        self.put(key, [map_range(fd, offset, length)], durable=durable)

    def copy_in_many(self, sources: Sequence[tuple[str, FileRange]]) -> list[bool]:
        # So much at a time as gets through a slow line before the requests run out of time: all at once, none would.
        return [new for some in self._in_flight(sources) for new in self.each(self._copied_in, some)]

    def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        check_key(key)
        if offset == 0 and length is None:
            return self._ask(key, lambda: bytes(obstore.get(self._inner, key).bytes()))
        # A range that begins at the end or behind it is an error to a bucket, and nothing to us.
        end = self.size(key) if length is None else min(self.size(key), offset + length)
        return self.get_range(key, offset, end - offset) if end > offset else b""

    def get_range(self, key: str, offset: int, length: int) -> bytes:
        """Bytes that are there, in one round trip."""
        return self._ask(key, lambda: bytes(obstore.get_range(self._inner, key, start=offset, length=length)))

    def pieces(self, key: str) -> tuple[int, Iterator[Buffer]]:
        """An object's length, and its bytes as they come; one request for each ``bucket_part_bytes``, so that a large
        one is not bound by the time of one. The iterator raises as ``get`` does."""
        check_key(key)
        first = self._part(key, 0)
        return first.meta["size"], self._streamed(key, first)

    def _part(self, key: str, offset: int) -> Any:
        span = (offset, offset + self._limits.bucket_part_bytes)
        return self._ask(key, lambda: obstore.get(self._inner, key, options={"range": span}))

    def _streamed(self, key: str, part: Any) -> Iterator[Buffer]:
        size, at = part.meta["size"], 0
        while True:
            end = part.range[1]
            pieces = part.stream(min_chunk_size=self._limits.read_bytes)
            while (piece := self._ask(key, partial(next, pieces, None))) is not None:
                at += len(piece)
                yield memoryview(piece)
            if at != end or at >= size:
                return
            part = self._part(key, at)

    def open_range(self, key: str) -> FileRange | None:
        self.size(key)
        return None

    def open_ranges(self, keys: Sequence[str]) -> list[FileRange | None]:
        return [None] * len(keys)

    def glance(
        self, key: str, address: str, size_bytes: int, span: tuple[int, int], around: tuple[bytes, bytes]
    ) -> bytes | None:
        if self._threads is not None:  # it takes a round trip
            return None
        with suppress(Missing, Unavailable):
            whole = self.get(key)
            if len(whole) == size_bytes and content_address([whole]) == address:
                return around[0] + whole[span[0] : span[0] + span[1]] + around[1]
        return None

    def each(self, work: Callable[[S], T], items: Sequence[S]) -> list[T]:
        """All at once, a bounded number of them in flight. All have ended when it returns or raises."""
        if self._threads is None or len(items) < 2:
            return [work(item) for item in items]
        futures = [self._threads.submit(work, item) for item in items]
        errors = [error for future in futures if (error := future.exception()) is not None]
        if errors:
            raise errors[0]
        return [future.result() for future in futures]

    def size(self, key: str) -> int:
        check_key(key)
        return self._ask(key, lambda: obstore.head(self._inner, key)["size"])

    def exists(self, key: str) -> bool:
        try:
            self.size(key)
        except Missing:
            return False
        return True

    def list(self, prefix: str, after: str = "") -> Iterator[str]:
        check_prefix(prefix)
        pages = self._ask(prefix, lambda: iter(obstore.list(self._inner, prefix or None, offset=after or None)))
        while page := self._ask(prefix, lambda: next(pages, None)):
            yield from (entry["path"] for entry in page if entry["path"] > after)

    def delete(self, key: str) -> None:
        check_key(key)
        with suppress(Missing):
            self._ask(key, lambda: obstore.delete(self._inner, key))

    def sync_pending(self) -> None:
        """Nothing waits: what was answered is kept."""

    def close(self) -> None:
        if self._threads is not None:
            self._threads.shutdown(cancel_futures=True)

    def _in_flight(self, sources: Sequence[tuple[str, FileRange]]) -> Iterator[Sequence[tuple[str, FileRange]]]:
        start = size = 0
        for at, (_, place) in enumerate(sources):
            if size + place.length > self._limits.bucket_put_bytes_max and at > start:
                yield sources[start:at]
                start, size = at, 0
            size += place.length
        if start < len(sources):
            yield sources[start:]

    def _copied_in(self, source: tuple[str, FileRange]) -> bool:
        key, place = source
        with suppress(Conflict):
            self.copy_in(key, place.fd, place.offset, place.length, durable=False)
            return True
        return False

    def _ask(self, key: str, request: Callable[[], T]) -> T:
        self._circuit.check()
        try:
            answer = request()
        except FileNotFoundError as error:
            self._circuit.answered()
            if any(code in str(error) for code in NO_BUCKET):  # of an object that is not asked for, nothing is known
                raise Unavailable("the store has no such bucket") from error
            raise Missing(f"no object {key}") from None
        except AlreadyExistsError:
            self._circuit.answered()
            raise Conflict(f"{key} exists") from None
        except (PermissionDeniedError, UnauthenticatedError) as error:
            self._circuit.answered()
            raise Unavailable(f"the store does not let us at {key}: check its credentials and policy") from error
        except BaseError as error:
            self._circuit.failed()
            raise Unavailable(f"the store did not take or give {key}: {_reason(error)}") from error
        self._circuit.answered()
        return answer


class Circuit:
    """Open for a moment after so many failures in a row; then one call tries, and the others wait for what it finds."""

    def __init__(self, clock: Clock, limits: Limits) -> None:
        self._clock = clock
        self._limits = limits
        self._lock = threading.Lock()
        self._failures = 0
        self._closed_at = 0.0

    def check(self) -> None:
        """Raises Unavailable while the circuit is open."""
        if self._failures < self._limits.bucket_failures_max:
            return
        with self._lock:
            left = self._closed_at - self._clock.monotonic()
            if left > 0:
                raise Unavailable("the store does not answer", retry_after_seconds=max(1.0, left))
            self._closed_at = self._clock.monotonic() + self._limits.bucket_rest_seconds

    def answered(self) -> None:
        """It is there."""
        if self._failures:
            with self._lock:
                self._failures = 0

    def failed(self) -> None:
        """It did not answer, or with an error of its own."""
        with self._lock:
            self._failures += 1
            if self._failures >= self._limits.bucket_failures_max:
                self._closed_at = self._clock.monotonic() + self._limits.bucket_rest_seconds


class MemoryStore(BucketStore):
    """Objects in this process's memory, for tests and trials: gone when it ends."""

    def __init__(self) -> None:
        super().__init__(ObstoreMemory(), remote=False)


def open_bucket(settings: StoreSettings, clock: Clock | None = None, limits: Limits = LIMITS) -> BucketStore:
    """The bucket, or the prefix in it, that ``[store] url`` names. Nothing is sent yet.

    Credentials come as the clouds' own tools take them: from the environment, or from the instance's role. Raises
    ``Invalid`` for a URL or a setting that cannot be used.
    """
    config: dict[str, Any] = {}
    endpoint = settings.endpoint or os.environ.get("AWS_ENDPOINT_URL", "") * settings.url.startswith("s3")
    if endpoint:
        config["endpoint"] = endpoint
    if settings.region:
        config["region"] = settings.region
    if settings.url.startswith("s3"):
        config["virtual_hosted_style_request"] = not endpoint  # services of one's own have one name
    client = {
        "allow_http": endpoint.startswith("http://"),
        "connect_timeout": timedelta(seconds=limits.bucket_connect_seconds_max),
        "timeout": timedelta(seconds=limits.bucket_request_seconds_max),
    }
    retries = {
        "max_retries": limits.bucket_retries_max,
        "retry_timeout": timedelta(seconds=limits.bucket_retry_seconds_max),
        "backoff": {"init_backoff": timedelta(milliseconds=50), "max_backoff": timedelta(seconds=1), "base": 2},
    }
    opened: Any = from_url  # its types know each cloud's settings apart
    try:
        inner = opened(settings.url, config=config or None, client_options=client, retry_config=retries)
    except (BaseError, ValueError) as error:
        raise Invalid(f"the store at {settings.url!r:.200} cannot be used: {error!s:.300}") from error
    return BucketStore(inner, clock=clock, limits=limits)


def _reason(error: BaseError) -> str:
    """Its first line, without the address that it asked: that names the object again."""
    return str(error).partition("\n")[0].rpartition(" - ")[2][:200] or type(error).__name__
