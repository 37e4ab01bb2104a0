"""A range of a small file that is in memory, checked, without waiting for a disk: for those who must not wait.

A thread costs more than reading and hashing what is in the page cache; the GIL is kept meanwhile, since who gives it
away beside a thread that computes waits 5 ms for it. So: files of about a megabyte at most.
"""

def glance(
    path: bytes, key: bytes, size: int, offset: int, length: int, before: bytes, behind: bytes
) -> bytes | None:
    """``before``, ``length`` bytes from ``offset`` of a file that is ``size`` bytes long, ``behind``.

    None when it would have to wait (also: on a kernel or file system that cannot say so), when there is no such file, or
    when its XXH3-128 is not ``key`` (16 bytes): then another way has to say what is wrong. Raises ``ValueError`` for what
    is no range, path or key.
    """
