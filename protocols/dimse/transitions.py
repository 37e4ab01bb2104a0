"""The state machine of an association: PS3.8 table 9-10, and nothing else."""

from enum import IntEnum, StrEnum


class State(IntEnum):
    """PS3.8 tables 9-1 to 9-5."""

    IDLE = 1
    AWAITING_REQUEST = 2  # connection open, A-ASSOCIATE-RQ awaited
    AWAITING_LOCAL_RESPONSE = 3
    AWAITING_CONNECTION = 4
    AWAITING_ANSWER = 5  # A-ASSOCIATE-AC or -RJ
    ESTABLISHED = 6
    AWAITING_RELEASE_ANSWER = 7
    AWAITING_LOCAL_RELEASE = 8
    COLLISION_REQUESTOR_LOCAL = 9
    COLLISION_ACCEPTOR_PEER = 10
    COLLISION_REQUESTOR_PEER = 11
    COLLISION_ACCEPTOR_LOCAL = 12
    AWAITING_CLOSE = 13


class Event(IntEnum):
    """Events 1 to 19 of PS3.8 table 9-10. ``*_PDU`` came from the peer; the others are ours or the transport's."""

    ASSOCIATE_REQUEST = 1
    CONNECTED = 2
    ASSOCIATE_AC_PDU = 3
    ASSOCIATE_RJ_PDU = 4
    CONNECTION_INDICATION = 5
    ASSOCIATE_RQ_PDU = 6
    ASSOCIATE_ACCEPT = 7
    ASSOCIATE_REJECT = 8
    DATA_REQUEST = 9
    DATA_PDU = 10
    RELEASE_REQUEST = 11
    RELEASE_RQ_PDU = 12
    RELEASE_RP_PDU = 13
    RELEASE_RESPONSE = 14
    ABORT_REQUEST = 15
    ABORT_PDU = 16
    CLOSED = 17
    ARTIM_EXPIRED = 18
    INVALID_PDU = 19


class Action(StrEnum):
    """PS3.8 tables 9-6 to 9-9."""

    AE_1 = "AE-1"  # open the connection
    AE_2 = "AE-2"  # send A-ASSOCIATE-RQ
    AE_3 = "AE-3"  # confirm: accepted
    AE_4 = "AE-4"  # confirm: rejected; close
    AE_5 = "AE-5"  # start ARTIM
    AE_6 = "AE-6"  # stop ARTIM; indicate
    AE_7 = "AE-7"  # send A-ASSOCIATE-AC
    AE_8 = "AE-8"  # send A-ASSOCIATE-RJ; start ARTIM
    DT_1 = "DT-1"  # send P-DATA-TF
    DT_2 = "DT-2"  # indicate data
    AR_1 = "AR-1"  # send A-RELEASE-RQ
    AR_2 = "AR-2"  # indicate release
    AR_3 = "AR-3"  # confirm release; close
    AR_4 = "AR-4"  # send A-RELEASE-RP; start ARTIM
    AR_5 = "AR-5"  # stop ARTIM
    AR_6 = "AR-6"  # indicate data
    AR_7 = "AR-7"  # send P-DATA-TF
    AR_8 = "AR-8"  # indicate release (collision)
    AR_9 = "AR-9"  # send A-RELEASE-RP
    AR_10 = "AR-10"  # confirm release
    AA_1 = "AA-1"  # send A-ABORT (service user); start ARTIM
    AA_2 = "AA-2"  # stop ARTIM; close
    AA_3 = "AA-3"  # indicate abort; close
    AA_4 = "AA-4"  # indicate abort by the provider
    AA_5 = "AA-5"  # stop ARTIM
    AA_6 = "AA-6"  # ignore
    AA_7 = "AA-7"  # send A-ABORT
    AA_8 = "AA-8"  # send A-ABORT (service provider); indicate; start ARTIM


NEXT_STATE: dict[Action, State] = {
    Action.AE_1: State.AWAITING_CONNECTION,
    Action.AE_2: State.AWAITING_ANSWER,
    Action.AE_3: State.ESTABLISHED,
    Action.AE_4: State.IDLE,
    Action.AE_5: State.AWAITING_REQUEST,
    Action.AE_6: State.AWAITING_LOCAL_RESPONSE,
    Action.AE_7: State.ESTABLISHED,
    Action.AE_8: State.AWAITING_CLOSE,
    Action.DT_1: State.ESTABLISHED,
    Action.DT_2: State.ESTABLISHED,
    Action.AR_1: State.AWAITING_RELEASE_ANSWER,
    Action.AR_2: State.AWAITING_LOCAL_RELEASE,
    Action.AR_3: State.IDLE,
    Action.AR_4: State.AWAITING_CLOSE,
    Action.AR_5: State.IDLE,
    Action.AR_6: State.AWAITING_RELEASE_ANSWER,
    Action.AR_7: State.AWAITING_LOCAL_RELEASE,
    Action.AR_8: State.COLLISION_REQUESTOR_LOCAL,  # the acceptor goes to COLLISION_ACCEPTOR_PEER instead
    Action.AR_9: State.COLLISION_REQUESTOR_PEER,
    Action.AR_10: State.COLLISION_ACCEPTOR_LOCAL,
    Action.AA_1: State.AWAITING_CLOSE,
    Action.AA_2: State.IDLE,
    Action.AA_3: State.IDLE,
    Action.AA_4: State.IDLE,
    Action.AA_5: State.IDLE,
    Action.AA_6: State.AWAITING_CLOSE,
    Action.AA_7: State.AWAITING_CLOSE,
    Action.AA_8: State.AWAITING_CLOSE,
}

# One row an event, one column a state (Sta1 to Sta13), as the standard prints it; "" = cannot happen.
_ROWS: dict[Event, str] = {
    Event.ASSOCIATE_REQUEST: "AE-1 | | | | | | | | | | | | ",
    Event.CONNECTED: " | | |AE-2| | | | | | | | | ",
    Event.ASSOCIATE_AC_PDU: " |AA-1|AA-8| |AE-3|AA-8|AA-8|AA-8|AA-8|AA-8|AA-8|AA-8|AA-6",
    Event.ASSOCIATE_RJ_PDU: " |AA-1|AA-8| |AE-4|AA-8|AA-8|AA-8|AA-8|AA-8|AA-8|AA-8|AA-6",
    Event.CONNECTION_INDICATION: "AE-5| | | | | | | | | | | | ",
    Event.ASSOCIATE_RQ_PDU: " |AE-6|AA-8| |AA-8|AA-8|AA-8|AA-8|AA-8|AA-8|AA-8|AA-8|AA-7",
    Event.ASSOCIATE_ACCEPT: " | |AE-7| | | | | | | | | | ",
    Event.ASSOCIATE_REJECT: " | |AE-8| | | | | | | | | | ",
    Event.DATA_REQUEST: " | | | | |DT-1| |AR-7| | | | | ",
    Event.DATA_PDU: " |AA-1|AA-8| |AA-8|DT-2|AR-6|AA-8|AA-8|AA-8|AA-8|AA-8|AA-6",
    Event.RELEASE_REQUEST: " | | | | |AR-1| | | | | | | ",
    Event.RELEASE_RQ_PDU: " |AA-1|AA-8| |AA-8|AR-2|AR-8|AA-8|AA-8|AA-8|AA-8|AA-8|AA-6",
    Event.RELEASE_RP_PDU: " |AA-1|AA-8| |AA-8|AA-8|AR-3|AA-8|AA-8|AR-10|AR-3|AA-8|AA-6",
    Event.RELEASE_RESPONSE: " | | | | | | |AR-4|AR-9| | |AR-4| ",
    Event.ABORT_REQUEST: " | |AA-1|AA-2|AA-1|AA-1|AA-1|AA-1|AA-1|AA-1|AA-1|AA-1| ",
    Event.ABORT_PDU: " |AA-2|AA-3| |AA-3|AA-3|AA-3|AA-3|AA-3|AA-3|AA-3|AA-3|AA-2",
    Event.CLOSED: " |AA-5|AA-4|AA-4|AA-4|AA-4|AA-4|AA-4|AA-4|AA-4|AA-4|AA-4|AR-5",
    Event.ARTIM_EXPIRED: " |AA-2| | | | | | | | | | |AA-2",
    Event.INVALID_PDU: " |AA-1|AA-8| |AA-8|AA-8|AA-8|AA-8|AA-8|AA-8|AA-8|AA-8|AA-7",
}

TABLE: dict[tuple[State, Event], Action] = {
    (State(column), event): Action(cell.strip())
    for event, row in _ROWS.items()
    for column, cell in enumerate(row.split("|"), start=1)
    if cell.strip()
}
