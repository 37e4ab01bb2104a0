"""One small picture, 16 x 16 of eight bits, in the forms that servers keep: a ramp, its pixel n is n."""

from base64 import b64decode
from struct import pack

SIDE = 16
RAMP = bytes(range(SIDE * SIDE))
JPEG_2000 = b64decode(
    "/0//UQApAAAAAAAQAAAAEAAAAAAAAAAAAAAAEAAAABAAAAAAAAAAAAABBwEB/1IADAAAAAEAAQQEAAH/XAAHQEBISFD/ZAAlAAFDcmVhdGVkIGJ5"
    "IE9wZW5KUEVHIHZlcnNpb24gMi41LjT/kAAKAAAAAABPAAH/k9+BiBIrAwsLE+S5L4U/OFCLF3Xs/uu7v5kK41dJijMPeCQK4ToLNdAH+QBsNhZN"
    "MmPHcJ/AEUHzhQA2oT2mNGB//9k="
)  # lossless
JPEG = b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAMCAgMCAgMDAwMEAwMEBQgFBQQEBQoHBwYIDAoMDAsKCwsNDhIQDQ4RDgsLEBYQERMUFRUVDA8XGBYU"
    "GBIUFRT/wAALCAAQABABAREA/8QAFgABAQEAAAAAAAAAAAAAAAAABQgJ/8QAGRAAAQUAAAAAAAAAAAAAAAAAAAQIJDGi/9oACAEBAAA/AJITNtqL"
    "kWTNtqLk1ATNtqLkVTNtqLk//9k="
)  # baseline
JPEG_LS = b64decode(
    "/9j/6AAgU1BJRkYAAgAAAQAAABAAAAAQCggGAQAAASwAAAEs/+gACAAAAAH/2P/3AAsIABAAEAEBEQD/2gAIAQEAAAAArbb9v/4BNK//ACf/ePf/"
    "ec//c1//bH//Lf9+p/96X/9of/97/3+f/3z/f9f/fr//QP/Z"
)  # lossless


def rle() -> bytes:
    """RLE Lossless (PS3.5 G): one segment of literal runs."""
    runs = b"".join(bytes([127]) + RAMP[at : at + 128] for at in range(0, len(RAMP), 128))
    return pack("<16I", 1, 64, *[0] * 14) + runs


def video() -> bytes:
    """No film: what stands at the beginning of an MPEG-4 file, and noughts."""
    return b"\0\0\0\x20ftypmp42" + bytes(4084)


def encapsulated(*fragments: bytes) -> bytes:
    """Pixel Data's value with an empty offset table (PS3.5 A.4), a fragment each frame; its writer puts the end."""
    items = b"".join(b"\xfe\xff\x00\xe0" + pack("<I", len(even := _even(one))) + even for one in fragments)
    return b"\xfe\xff\x00\xe0\0\0\0\0" + items


def _even(fragment: bytes) -> bytes:
    return fragment + b"\0" * (len(fragment) % 2)
