"""What we answer to an A-ASSOCIATE-RQ (PS3.8 9.3.2-9.3.4, PS3.7 D.3). Pure: request and policy in, verdict out."""

from collections.abc import Sequence

import msgspec

from engine.ports import Peers
from native import pdu
from protocols.dimse import classes, extended, titles
from protocols.dimse.proof import Caller
from protocols.dimse.settings import IMPLEMENTATION_VERSION_NAME, DimseSettings

APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
# 2.25 and a random UUID: ours, needs no registration.
IMPLEMENTATION_CLASS_UID = "2.25.213945107338530268318391306241094829"
CONTEXTS_MAX = 128  # odd identifiers of one byte
# Requests that a peer may send ahead. They are done in turn; what it saves is waiting for each answer.
WINDOW_MAX = 16

ACCEPTANCE = 0
USER_REJECTION = 1
ABSTRACT_SYNTAX_NOT_SUPPORTED = 3
TRANSFER_SYNTAXES_NOT_SUPPORTED = 4

Context = tuple[str, str, bool]  # abstract syntax, transfer syntax, is storage


class Rejected(msgspec.Struct, frozen=True):
    """A-ASSOCIATE-RJ (PS3.8 table 9-21). ``why`` is for the log: a sentence, and a command that would help."""

    result: int
    source: int
    reason: int
    why: str


class Accepted(msgspec.Struct, frozen=True):
    """A-ASSOCIATE-AC, and what this association may do.

    ``sendable``: pairs of SOP class and transfer syntax that we may send on it, since the peer is SCP of the class.
    ``options``: what was agreed by extended negotiation, by SOP class. ``identity``: whom the peer says it acts for
    (PS3.7 D.3.3.7: type, primary field), believed by nobody yet.
    """

    answer: pdu.AssociateAccept
    contexts: dict[int, Context]
    sendable: dict[tuple[str, str], int]
    options: dict[str, extended.Options]
    identity: tuple[int, bytes] | None
    calling_ae_title: str
    called_ae_title: str
    peer_pdu_bytes_max: int


def called_not_recognised(why: str) -> Rejected:
    return Rejected(1, 1, 7, why)


def calling_not_recognised(why: str) -> Rejected:
    return Rejected(1, 1, 3, why)


LOCAL_LIMIT_EXCEEDED = Rejected(2, 3, 2, "too many associations at once")


def check_sound(request: pdu.AssociateRequest) -> None:
    """Raises ValueError when the proposed contexts break PS3.8 9.3.2.2: that is a protocol error, not a refusal."""
    identifiers = [identifier for identifier, _, _ in request.contexts]
    if len(identifiers) > CONTEXTS_MAX:
        raise ValueError("more than 128 presentation contexts")
    if len(set(identifiers)) != len(identifiers):
        raise ValueError("a presentation context identifier is used twice")
    if any(identifier % 2 == 0 for identifier in identifiers):
        raise ValueError("an even presentation context identifier")


def negotiate(
    request: pdu.AssociateRequest, settings: DimseSettings, *, caller: Caller, known: Peers
) -> Accepted | Rejected:
    """Decide. ``caller``: what it shows beside its AE title; ``known``: the configured peers."""
    called = titles.title_of(request.called_ae_title)
    calling = titles.title_of(request.calling_ae_title)
    if not request.protocol_version & 1:
        return Rejected(1, 2, 2, "protocol version not supported")
    if request.application_context != APPLICATION_CONTEXT:
        return Rejected(1, 1, 2, "application context name not supported")
    if called is None:
        return called_not_recognised("the called AE title is not a valid one")
    if calling is None:
        return calling_not_recognised("the calling AE title is not a valid one")
    if settings.check_called_ae_title and called != settings.ae_title.strip():
        return called_not_recognised(
            f"called {called}, but this is {settings.ae_title.strip()} (check_called_ae_title)"
        )
    if why := titles.why_not(calling, caller, settings.calling, known, settings.store_flag):
        return calling_not_recognised(why)
    accept_unknown = settings.accept_unknown_sop_classes
    roles = _roles(request.user.roles, accept_unknown)
    contexts, sendable, answered = _answer_contexts(request, roles, accept_unknown)
    options = extended.agreed(request.user.extended)
    answer = pdu.AssociateAccept(
        request.called_ae_title,
        request.calling_ae_title,
        APPLICATION_CONTEXT,
        answered,
        pdu.UserInformation(
            pdu_bytes_max=settings.pdu_bytes_max,
            implementation_class_uid=IMPLEMENTATION_CLASS_UID,
            implementation_version_name=IMPLEMENTATION_VERSION_NAME,
            asynchronous_window=_window(request.user.asynchronous_window, contexts),
            roles=[(sop_class, scu, scp) for sop_class, (scu, scp) in roles.items()],
            extended=[
                (sop_class, options[sop_class].encode()[: len(information)])
                for sop_class, information in request.user.extended
                if sop_class in options
            ],
        ),
    )
    identity = request.user.user_identity
    return Accepted(
        answer,
        contexts,
        sendable,
        options,
        identity[::2] if identity else None,
        calling,
        called,
        request.user.pdu_bytes_max,
    )


def _roles(proposed: list[tuple[str, bool, bool]], accept_unknown: bool) -> dict[str, tuple[bool, bool]]:
    """Roles of the peer that we agree to (PS3.7 D.3.3.4): SCU of anything, SCP of storage (C-GET)."""
    return {sop_class: (scu, scp and classes.is_storage(sop_class, accept_unknown)) for sop_class, scu, scp in proposed}


def _answer_contexts(
    request: pdu.AssociateRequest, roles: dict[str, tuple[bool, bool]], accept_unknown: bool
) -> tuple[dict[int, Context], dict[tuple[str, str], int], list[tuple[int, int, str]]]:
    contexts: dict[int, Context] = {}
    sendable: dict[tuple[str, str], int] = {}
    answered: list[tuple[int, int, str]] = []
    for identifier, abstract, proposed in request.contexts:
        result, transfer, storage = _answer_context(abstract, proposed, accept_unknown)
        scu, scp = roles.get(abstract, (True, False))
        if result == ACCEPTANCE and not (scu or scp):
            result = USER_REJECTION  # the peer wants to be SCP alone of what we never ask of it here
        if result == ACCEPTANCE:
            contexts[identifier] = (abstract, transfer, storage and scu)
            if scp:
                sendable.setdefault((abstract, transfer), identifier)
        answered.append((identifier, result, transfer))
    return contexts, sendable, answered


def _window(asked: tuple[int, int] | None, contexts: dict[int, Context]) -> tuple[int, int] | None:
    """PS3.7 D.3.3.3: requests that the peer may have open, and we. 0 asks for no limit. None when it did not ask.

    While C-GET sends, nothing but C-CANCEL may come.
    """
    if asked is None:
        return None
    if any(abstract in classes.GET for abstract, _, _ in contexts.values()):
        return 1, 1
    return min(asked[0] or WINDOW_MAX, WINDOW_MAX), 1


def _answer_context(abstract: str, proposed: list[str], accept_unknown: bool) -> tuple[int, str, bool]:
    """(result, transfer syntax, is storage). The first proposed syntax that we keep wins: the SCU knows what it has.

    Of a refused context the transfer syntax is not significant, but must be there.
    """
    if abstract in classes.SERVICES:
        wanted, storage = classes.SERVICE_SYNTAXES, False
    elif classes.is_storage(abstract, accept_unknown):
        wanted, storage = classes.STORAGE_SYNTAXES, True
    else:
        return ABSTRACT_SYNTAX_NOT_SUPPORTED, classes.IMPLICIT_LITTLE, False
    for transfer in proposed:
        if transfer in wanted:
            return ACCEPTANCE, transfer, storage
    return TRANSFER_SYNTAXES_NOT_SUPPORTED, classes.IMPLICIT_LITTLE, storage


def propose(
    calling_ae_title: str,
    called_ae_title: str,
    pairs: list[tuple[str, str]],
    pdu_bytes_max: int,
    *,
    window: int = 1,
    roles: Sequence[tuple[str, bool, bool]] = (),
) -> pdu.AssociateRequest:
    """The request of an association of our own: one context a pair of SOP class and transfer syntax, at most 128.

    ``window``: requests that we would have open at once. ``roles``: (SOP class, we are SCU, we are SCP).
    """
    if len(pairs) > CONTEXTS_MAX:
        raise ValueError("more than 128 presentation contexts")
    return pdu.AssociateRequest(
        titles.field_of(called_ae_title),
        titles.field_of(calling_ae_title),
        APPLICATION_CONTEXT,
        [(2 * at + 1, sop_class, [syntax]) for at, (sop_class, syntax) in enumerate(pairs)],
        pdu.UserInformation(
            pdu_bytes_max=pdu_bytes_max,
            implementation_class_uid=IMPLEMENTATION_CLASS_UID,
            implementation_version_name=IMPLEMENTATION_VERSION_NAME,
            asynchronous_window=(window, 1) if window > 1 else None,
            roles=roles,
        ),
    )


def granted(request: pdu.AssociateRequest, answer: pdu.AssociateAccept) -> dict[tuple[str, str], int]:
    """Pairs that the peer accepted, with their context. Answers to contexts never proposed do not count."""
    proposed = {identifier: (abstract, syntaxes) for identifier, abstract, syntaxes in request.contexts}
    pairs: dict[tuple[str, str], int] = {}
    for identifier, result, syntax in answer.contexts:
        abstract, syntaxes = proposed.get(identifier, ("", []))
        if result == ACCEPTANCE and syntax in syntaxes:
            pairs[abstract, syntax] = identifier
    return pairs
