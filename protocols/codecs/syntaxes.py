"""The transfer syntaxes that can be turned into each other (PS3.5 10 and A), and what is needed to do it."""

from importlib.util import find_spec

import msgspec

IMPLICIT_LITTLE = "1.2.840.10008.1.2"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
EXPLICIT_BIG = "1.2.840.10008.1.2.2"
DEFLATED = "1.2.840.10008.1.2.1.99"
ENCAPSULATED = "1.2.840.10008.1.2.1.98"
JPEG_BASELINE = "1.2.840.10008.1.2.4.50"
JPEG_EXTENDED = "1.2.840.10008.1.2.4.51"
JPEG_LOSSLESS = "1.2.840.10008.1.2.4.57"
JPEG_LOSSLESS_FIRST_ORDER = "1.2.840.10008.1.2.4.70"
JPEG_LS = "1.2.840.10008.1.2.4.80"
JPEG_LS_NEAR = "1.2.840.10008.1.2.4.81"
J2K_LOSSLESS = "1.2.840.10008.1.2.4.90"
J2K = "1.2.840.10008.1.2.4.91"
HTJ2K_LOSSLESS = "1.2.840.10008.1.2.4.201"
HTJ2K_LOSSLESS_RPCL = "1.2.840.10008.1.2.4.202"
HTJ2K = "1.2.840.10008.1.2.4.203"
RLE = "1.2.840.10008.1.2.5"

PLAIN = frozenset({IMPLICIT_LITTLE, EXPLICIT_LITTLE, EXPLICIT_BIG, DEFLATED})
JPEG_DCT = frozenset({JPEG_BASELINE, JPEG_EXTENDED})
JPEG_PREDICTIVE = frozenset({JPEG_LOSSLESS, JPEG_LOSSLESS_FIRST_ORDER})
JPEG_LS_ALL = frozenset({JPEG_LS, JPEG_LS_NEAR})
J2K_ALL = frozenset({J2K_LOSSLESS, J2K})
HTJ2K_ALL = frozenset({HTJ2K_LOSSLESS, HTJ2K_LOSSLESS_RPCL, HTJ2K})

# What can be read without, and with, the extra [codecs]; and what can be made of samples, always without loss: the
# syntaxes that allow loss (.81, .91, .203) allow its absence too. JPEG's lossy processes are never made.
BUILT_IN = frozenset({ENCAPSULATED, RLE})
BY_EXTRA = JPEG_DCT | JPEG_PREDICTIVE | JPEG_LS_ALL | J2K_ALL | HTJ2K_ALL
MADE_BY_EXTRA = frozenset({JPEG_LS, JPEG_LS_NEAR, J2K_LOSSLESS, J2K, HTJ2K_LOSSLESS, HTJ2K})

EXTRA_MISSING = "the codecs are not installed: pip install 'filmroom[codecs]'"


class Codecs(msgspec.Struct, frozen=True):
    """Which encapsulated syntaxes can be decoded, and which made, on this machine; ``reason`` says why not more."""

    decodes: frozenset[str] = BUILT_IN
    encodes: frozenset[str] = frozenset({RLE})
    reason: str = EXTRA_MISSING

    @property
    def renders(self) -> bool:
        """Whether images can be made."""
        return self.decodes >= BY_EXTRA


ALL_CODECS = Codecs(BUILT_IN | BY_EXTRA, frozenset({RLE}) | MADE_BY_EXTRA, "")


def installed_codecs() -> Codecs:
    """What is there; nothing of it is loaded into this process."""
    return ALL_CODECS if find_spec("imagecodecs") and find_spec("numpy") else Codecs()
