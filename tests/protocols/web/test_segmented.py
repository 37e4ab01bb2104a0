"""Palettes of segments (C41), against pydicom's reader of them, and by hand where it reads offsets otherwise."""

import random
import struct

import pytest
from pydicom.pixels.processing import _expand_segmented_lut

from protocols.web.wado.segmented import expanded


def descriptor(count: int, bits: int) -> bytes:
    return struct.pack("<3H", count & 0xFFFF, 0, bits)


def packed(words: list[int], bits: int) -> bytes:
    return struct.pack(f"<{len(words)}{'H' if bits > 8 else 'B'}", *words)


@pytest.mark.parametrize("bits", [8, 16])
def test_discrete_and_linear_segments_are_those_of_pydicom(bits: int) -> None:
    chance = random.Random(bits)
    most = (1 << bits) - 1
    for _ in range(100):
        words = [0, 2, chance.randint(0, most), chance.randint(0, most)]
        for _ in range(chance.randint(0, 6)):
            length = chance.randint(1, 20)
            if chance.random() < 0.5:
                words += [0, length, *(chance.randint(0, most) for _ in range(length))]
            else:
                words += [1, length, chance.randint(0, most)]
        wanted = _expand_segmented_lut(tuple(words), "<H" if bits > 8 else "<B")
        assert expanded(packed(words, bits), descriptor(len(wanted), bits)) == packed(wanted, bits)
        if len(wanted) > 1:
            assert expanded(packed(words, bits), descriptor(len(wanted) - 1, bits)) == packed(wanted[:-1], bits)
        assert expanded(packed(words, bits), descriptor(len(wanted) + 1, bits)) is None


def test_indirect_segments_are_found_by_bytes() -> None:
    """PS3.3 C.7.9.2.3: the two segments from byte 8 on once more, the linear one from the value before it."""
    direct = [0, 2, 10, 20, 0, 1, 40, 1, 2, 60]
    wanted = [10, 20, 40, 50, 60, 40, 50, 60]
    assert expanded(packed([*direct, 2, 2, 8, 0], 16), descriptor(8, 16)) == packed(wanted, 16)
    assert expanded(packed([*direct, 2, 2, 4, 0, 0, 0], 8), descriptor(8, 8)) == packed(wanted, 8)


def test_segments_that_lie_make_no_palette_and_no_bomb() -> None:
    for words in (
        [],
        [0],
        [0, 5, 1],
        [1, 5, 7],
        [0, 1, 9, 3, 1, 1],
        [0, 1, 9, 2, 1, 0xFFFF, 0xFFFF],
        [0, 0],
        [2, 1, 0, 0],
    ):
        assert expanded(packed(words, 16), descriptor(100, 16)) is None, words
    loop = packed([0, 1, 9, 2, 0xFFFF, 6, 0], 16)  # names itself
    assert expanded(loop, descriptor(0, 16)) is None
    assert expanded(packed([0, 1, 9, 1, 0xFFFF, 8], 16), descriptor(0, 16)) is not None
    sound = packed([0, 3, 1, 2, 3, 1, 4, 9], 16)
    for cut in range(len(sound)):
        assert expanded(sound[:cut], descriptor(7, 16)) is None
    assert expanded(sound, b"\7\0\0\0\x10") is None
    chance = random.Random(3)
    for _ in range(500):
        expanded(chance.randbytes(chance.randint(0, 60)), descriptor(chance.randint(0, 65535), chance.choice((8, 16))))
