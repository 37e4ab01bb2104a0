"""Whether an object is still what was written: its key is the XXH3-128 of its bytes."""

import os

import xxhash

from engine.model import Instance
from protocols.windows import Fetched

READ_BYTES = 1 << 20  # at a time, of an object that is checked
KEY_DIGITS = 32


def key_of(instance: Instance) -> bytes:
    """XXH3-128 of its object."""
    return bytes.fromhex(instance.key[:KEY_DIGITS])


def is_sound(fetched: Fetched) -> bool:
    """Whether its object is what was written: asked before another data set is made of it."""
    hashed, source = xxhash.xxh3_128(), fetched.source
    if isinstance(source, bytes):
        hashed.update(source)
    else:
        done = 0
        while done < source.length:
            try:
                piece = os.pread(source.fd, min(source.length - done, READ_BYTES), source.offset + done)
            except OSError:  # a bad sector, as good as a wrong byte
                return False
            if not piece:
                return False
            hashed.update(piece)
            done += len(piece)
    return hashed.digest() == key_of(fetched.instance)
