"""The worker process: decoders read bytes of strangers here, within limits, and nowhere else.

It holds nothing but its pipes and the shared file; it ends when its pipe ends, or after a while without work.
"""

import os
import resource
import select

import msgspec

from protocols.codecs.jobs import LENGTH, Done, Job, framed
from protocols.codecs.unreadable import Unreadable

PAGE_BYTES = resource.getpagesize()


def main(shared: int, idle_seconds: float) -> None:
    """Answer jobs from standard input on standard output."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    jobs = msgspec.msgpack.Decoder(Job)
    from protocols.codecs import decoding, rendering  # not before the first limit

    baseline = _memory_bytes()
    functions = {"decode": decoding.decode, "encode": decoding.encode}
    while select.select([0], [], [], idle_seconds)[0]:
        head = _read(LENGTH.size)
        if head is None:
            return
        body = _read(*LENGTH.unpack(head))
        if body is None:
            return
        job = jobs.decode(body)
        _limit(baseline, job)
        try:
            frame = os.pread(shared, job.frame_bytes, 0)
            if job.look is not None:
                result = rendering.render(job.picture, job.look, frame)
            else:
                result = functions[job.kind](job.transfer_syntax_uid, job.picture, frame)
            _write(shared, result)
            done = Done(len(result))
        except Unreadable as error:
            done = Done(0, str(error))
        except MemoryError:
            done = Done(0, "a frame needs more memory than it may take")
        except Exception:  # noqa: BLE001 (each decoder has errors of its own, whose text may quote the data)
            done = Done(0, "a frame cannot be read by its decoder")
        os.write(1, framed(done))


def _read(count: int) -> bytes | None:
    """So many bytes of standard input; None at its end."""
    data = b""
    while len(data) < count:
        more = os.read(0, count - len(data))
        if not more:
            return None
        data += more
    return data


def _write(shared: int, result: bytes) -> None:
    view, at = memoryview(result), 0
    while at < len(result):
        at += os.pwrite(shared, view[at:], at)


def _limit(baseline: int, job: Job) -> None:
    """Address space and processor time of this job; beyond the first an allocation fails, beyond the second we die."""
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (baseline + job.memory_bytes_max, hard))
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + 1 + job.cpu_seconds_max, hard))


def _memory_bytes() -> int:
    with open("/proc/self/statm", "rb") as file:  # noqa: PTH123 (pathlib is not loaded for this)
        return int(file.read().split()[0]) * PAGE_BYTES
