"""PDUs (PS3.8 9.3) and command sets (PS3.7 6.3.1, 9.3): bytes to plain values and back. Raises ValueError on anything unsound."""

from native.associate import CONTEXTS_MAX as CONTEXTS_MAX
from native.associate import AssociateAccept as AssociateAccept
from native.associate import AssociateRequest as AssociateRequest
from native.associate import UserInformation as UserInformation
from native.command_set import decode_command as decode_command
from native.command_set import encode_command as encode_command
from native.command_set import encode_message as encode_message
from native.pdu_read import CONTROL_PDU_BYTES_MAX as CONTROL_PDU_BYTES_MAX
from native.pdu_read import ITEMS_MAX as ITEMS_MAX
from native.pdu_read import decode_associate_accept as decode_associate_accept
from native.pdu_read import decode_associate_request as decode_associate_request
from native.pdu_write import encode_abort as encode_abort
from native.pdu_write import encode_associate_accept as encode_associate_accept
from native.pdu_write import encode_associate_reject as encode_associate_reject
from native.pdu_write import encode_associate_request as encode_associate_request
from native.pdu_write import encode_release_request as encode_release_request
from native.pdu_write import encode_release_response as encode_release_response
