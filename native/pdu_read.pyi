"""Association PDUs taken apart. Use it from native.pdu."""

from typing import Final

from typing_extensions import Buffer

from native.associate import AssociateAccept, AssociateRequest

CONTROL_PDU_BYTES_MAX: Final[int]  # of every PDU that is not P-DATA-TF: a reader closes at a longer one (1 MB)
ITEMS_MAX: Final[int]  # items and sub-items of one PDU

def decode_associate_request(body: Buffer) -> AssociateRequest:
    """``body`` is without the 6-byte PDU header. Raises ValueError."""
def decode_associate_accept(body: Buffer) -> AssociateAccept:
    """The same. Raises ValueError."""
