"""Command sets (PS3.7 6.3.1, 9.3) and their P-DATA-TF PDUs. Use them from native.pdu."""

from typing_extensions import Buffer

def encode_command(elements: dict[int, int | str | bytes | list[int]]) -> bytes:
    """Implicit VR LE command set with group length; keys are element numbers of group 0000, VR by PS3.7 E.1."""
def decode_command(command: Buffer) -> dict[int, int | str | bytes | list[int]]:
    """Raises ValueError on anything unsound."""
def encode_message(context_id: int, command: bytes, dataset: Buffer | None, pdu_bytes_max: int) -> bytes:
    """Command and data set as P-DATA-TF PDUs, each within the peer's maximum (0 = our own limit)."""
