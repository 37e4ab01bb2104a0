"""What we answer to an A-ASSOCIATE-RQ (PS3.8 9.3.2-9.3.4, PS3.7 D.3). Pure: request and policy in, verdict out."""

import msgspec

from engine.ports import Peers
from native import pdu
from protocols.dimse import classes, titles
from protocols.dimse.settings import IMPLEMENTATION_VERSION_NAME, DimseSettings

APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
# 2.25 and a random UUID: ours, needs no registration.
IMPLEMENTATION_CLASS_UID = "2.25.213945107338530268318391306241094829"
CONTEXTS_MAX = 128  # odd identifiers of one byte

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
    """A-ASSOCIATE-AC, and what this association may do."""

    answer: pdu.AssociateAccept
    contexts: dict[int, Context]
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
    request: pdu.AssociateRequest, settings: DimseSettings, *, address: str, known: Peers
) -> Accepted | Rejected:
    """Decide. ``address``: the peer's IP address; ``known``: the configured peers."""
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
    if not titles.may_call(calling, address, settings.calling, known):
        allow = titles.allow_command(calling, address)
        return calling_not_recognised(f"{calling} is not a known peer; to allow it: {allow}")
    contexts, answered = _answer_contexts(request, settings.accept_unknown_sop_classes)
    answer = pdu.AssociateAccept(
        request.called_ae_title,
        request.calling_ae_title,
        APPLICATION_CONTEXT,
        answered,
        _answer_user_information(request, settings),
    )
    return Accepted(answer, contexts, calling, called, request.user.pdu_bytes_max)


def _answer_contexts(
    request: pdu.AssociateRequest, accept_unknown: bool
) -> tuple[dict[int, Context], list[tuple[int, int, str]]]:
    roles = {sop_class: (scu, scp) for sop_class, scu, scp in request.user.roles}
    contexts: dict[int, Context] = {}
    answered: list[tuple[int, int, str]] = []
    for identifier, abstract, proposed in request.contexts:
        result, transfer, storage = _answer_context(abstract, proposed, accept_unknown)
        if result == ACCEPTANCE and roles.get(abstract, (True, False))[0] is False:
            result = USER_REJECTION  # the peer wants to be SCP alone: we call nobody back on this association
        if result == ACCEPTANCE:
            contexts[identifier] = (abstract, transfer, storage)
        answered.append((identifier, result, transfer))
    return contexts, answered


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


def _answer_user_information(request: pdu.AssociateRequest, settings: DimseSettings) -> pdu.UserInformation:
    """PS3.7 D.3.3. Roles: the peer is SCU only. One operation at a time. No extended negotiation."""
    return pdu.UserInformation(
        pdu_bytes_max=settings.pdu_bytes_max,
        implementation_class_uid=IMPLEMENTATION_CLASS_UID,
        implementation_version_name=IMPLEMENTATION_VERSION_NAME,
        asynchronous_window=(1, 1) if request.user.asynchronous_window is not None else None,
        roles=[(sop_class, scu, False) for sop_class, scu, _ in request.user.roles],
    )


def propose(
    calling_ae_title: str, called_ae_title: str, pairs: list[tuple[str, str]], pdu_bytes_max: int
) -> pdu.AssociateRequest:
    """The request of an association of our own: one context a pair of SOP class and transfer syntax, at most 128."""
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
