"""What we answer to whom: contexts (C01, C02), AE titles (C03, H14-H16), roles (C17), windows and PDU sizes (C18)."""

import time

import pytest

pdu = pytest.importorskip("native.pdu")

from engine.ports import Peer  # noqa: E402
from protocols.dimse import classes, extended, titles  # noqa: E402
from protocols.dimse.negotiation import APPLICATION_CONTEXT, Accepted, Rejected, granted, negotiate, propose  # noqa: E402
from protocols.dimse.proof import Caller, names_in, plain  # noqa: E402
from protocols.dimse.settings import DimseSettings  # noqa: E402

CT = "1.2.840.10008.5.1.4.1.1.2"
WORKLIST = "1.2.840.10008.5.1.4.31"
JPEG_LOSSLESS = "1.2.840.10008.1.2.4.70"
NOWHERE = "1.2.3.4"


class Known:
    def __init__(self, peer: Peer = Peer("CT1", "192.0.2.1", 104)) -> None:  # noqa: B008 - frozen
        self._peer = peer

    def lookup(self, ae_title: str) -> Peer | None:
        return self._peer if ae_title == "CT1" else None

    def all(self) -> list[Peer]:
        return [self._peer]


def request(
    contexts: list[tuple[int, str, list[str]]] | None = None,
    *,
    called: bytes = b"FILMROOM",
    calling: bytes = b"CT1",
    **user: object,
) -> "pdu.AssociateRequest":
    contexts = contexts or [(1, classes.VERIFICATION, [classes.IMPLICIT_LITTLE])]
    return pdu.AssociateRequest(
        called.ljust(16)[:16], calling.ljust(16)[:16], APPLICATION_CONTEXT, contexts, pdu.UserInformation(**user)
    )


def verdict(
    asked: "pdu.AssociateRequest", address: str = "127.0.0.1", names: frozenset[str] | None = None, **settings: object
) -> Accepted | Rejected:
    caller = Caller(address, names, frozenset({"192.0.2.1"}))
    return negotiate(asked, DimseSettings(**settings), caller=caller, known=Known())  # type: ignore[arg-type]


def answered(contexts: list[tuple[int, str, list[str]]], **settings: object) -> list[tuple[int, int, str]]:
    accepted = verdict(request(contexts), **settings)
    assert isinstance(accepted, Accepted)
    return list(accepted.answer.contexts)


def test_C01_echo_with_implicit_alone_and_among_thirty_syntaxes() -> None:
    many = [f"1.2.3.{n}" for n in range(29)] + [classes.IMPLICIT_LITTLE]
    for proposed in ([classes.IMPLICIT_LITTLE], many):
        assert answered([(1, classes.VERIFICATION, proposed)]) == [(1, 0, classes.IMPLICIT_LITTLE)]


def test_C02_each_context_is_answered_for_itself() -> None:
    results = answered(
        [
            (1, CT, [JPEG_LOSSLESS, classes.IMPLICIT_LITTLE]),
            (3, WORKLIST, [classes.IMPLICIT_LITTLE]),
            (5, CT, [NOWHERE]),
            (7, CT, [NOWHERE, classes.EXPLICIT_LITTLE]),
            (9, classes.STUDY_ROOT_FIND, [JPEG_LOSSLESS]),
            (11, "1.2.840.113619.4.30", [classes.EXPLICIT_LITTLE]),
        ]
    )
    assert [(identifier, result) for identifier, result, _ in results] == [
        (1, 0),
        (3, 3),
        (5, 4),
        (7, 0),
        (9, 4),
        (11, 0),
    ]
    assert results[0][2] == JPEG_LOSSLESS and results[3][2] == classes.EXPLICIT_LITTLE


def test_unknown_classes_are_refused_when_the_setting_says_so() -> None:
    proposed = [(1, "1.2.840.113619.4.30", [classes.EXPLICIT_LITTLE]), (3, CT, [classes.EXPLICIT_LITTLE])]
    assert [result for _, result, _ in answered(proposed, accept_unknown_sop_classes=False)] == [3, 0]


def test_C02_128_contexts_in_under_a_millisecond_with_decode_and_encode() -> None:
    syntaxes = [classes.EXPLICIT_LITTLE, classes.IMPLICIT_LITTLE, JPEG_LOSSLESS, NOWHERE]
    body = pdu.encode_associate_request(request([(2 * n + 1, CT, syntaxes) for n in range(128)]))[6:]
    best = 1.0
    for _ in range(20):
        begin = time.perf_counter()
        accepted = verdict(pdu.decode_associate_request(body))
        assert isinstance(accepted, Accepted)
        pdu.encode_associate_accept(accepted.answer)
        best = min(best, time.perf_counter() - begin)
    assert len(accepted.contexts) == 128
    assert best < 0.010  # a bound ten times the figure that bench/ measures


def test_C03_spaces_around_titles_do_not_count() -> None:
    accepted = verdict(request(called=b"  FILMROOM", calling=b" CT1 "), check_called_ae_title=True)
    assert isinstance(accepted, Accepted)
    assert (accepted.called_ae_title, accepted.calling_ae_title) == ("FILMROOM", "CT1")


def test_H14_wrong_called_title_is_rejected_1_1_7_when_checked() -> None:
    wrong = request(called=b"OTHER")
    assert isinstance(verdict(wrong), Accepted)
    rejected = verdict(wrong, check_called_ae_title=True)
    assert isinstance(rejected, Rejected) and (rejected.result, rejected.source, rejected.reason) == (1, 1, 7)


@pytest.mark.parametrize(
    ("address", "rule", "calling", "served"),
    [
        ("127.0.0.1", "auto", b"ANYONE", True),
        ("::1", "auto", b"ANYONE", True),
        ("::ffff:127.0.0.1", "auto", b"ANYONE", True),
        ("192.0.2.9", "auto", b"ANYONE", False),
        ("192.0.2.9", "title", b"ANYONE", False),
        ("192.0.2.1", "auto", b"CT1", True),
        ("::ffff:192.0.2.1", "auto", b"CT1", True),
        ("192.0.2.9", "title", b"CT1", True),
        ("192.0.2.9", "any", b"ANYONE", True),
        ("127.0.0.1", "known", b"ANYONE", False),
        ("192.0.2.1", "known", b"CT1", True),
    ],
)
def test_B8_who_is_served(address: str, rule: str, calling: bytes, served: bool) -> None:
    found = verdict(request(calling=calling), address, calling=rule)
    assert isinstance(found, Accepted) is served
    if isinstance(found, Rejected):
        assert (found.result, found.source, found.reason) == (1, 1, 3)
        assert f"filmroom aet add ANYONE {address}:104" in found.why


@pytest.mark.parametrize(
    ("address", "rule", "names", "served"),
    [
        ("192.0.2.1", "known", None, True),
        ("192.0.2.9", "known", None, False),
        ("192.0.2.9", "auto", None, False),
        ("127.0.0.1", "known", None, False),
        ("192.0.2.9", "known", {"192.0.2.1", "ct1.example"}, True),
        ("192.0.2.1", "known", {"other.example"}, False),
        ("192.0.2.1", "auto", {"192.0.2.10"}, False),
        ("192.0.2.1", "known", set(), False),
    ],
)
def test_H15_a_known_title_is_served_from_its_address_or_with_its_certificate(
    address: str, rule: str, names: set[str] | None, served: bool
) -> None:
    shown = None if names is None else frozenset(names)
    found = verdict(request(calling=b"CT1"), address, shown, calling=rule)
    assert isinstance(found, Accepted) is served
    if isinstance(found, Rejected):
        assert (found.result, found.source, found.reason) == (1, 1, 3)
        assert "192.0.2.1" in found.why and address in found.why


def test_H15_a_refusal_names_the_command_that_would_change_it_and_nothing_else_of_the_peer() -> None:
    sealed = Peer("CT1", "192.0.2.1", 104, "ISO_IR 192", tls=True, tls_ca="/etc/my ca.pem")
    shown = frozenset({"192.0.2.7", "ct1.example", "evil\n$(x)"})
    for peer, said in (
        (Peer("CT1", "192.0.2.1", 11112), "192.0.2.1:11112 --tls-name ct1.example --no-tls"),
        (sealed, "192.0.2.1:104 --tls-ca '/etc/my ca.pem' --tls-name ct1.example --character-set 'ISO_IR 192'"),
    ):
        known = Known(peer)
        why = titles.why_not("CT1", Caller("192.0.2.9", shown), "known", known, " --store /pacs")
        assert f"filmroom aet add CT1 {said} --store /pacs;" in why
        assert "(it names ct1.example, 192.0.2.7)" in why and "tls_name = 'ct1.example'" in why and "evil" not in why
    elsewhere = titles.why_not("CT1", Caller("192.0.2.9"), "known", Known(sealed))
    assert "add CT1 192.0.2.9:104 --tls-ca '/etc/my ca.pem' --character-set 'ISO_IR 192';" in elsewhere
    assert 'serve.calling = "title"' in elsewhere
    assert "aet add" not in titles.why_not("CT1", Caller("192.0.2.9", frozenset({"\x1b[2J"})), "known", Known(sealed))


def test_names_of_certificates_are_compared_as_they_are_meant() -> None:
    subject = ((("commonName", "Old"),),)
    assert names_in({"subject": subject}) == {"old"}
    shown = (("DNS", "WS1.Example."), ("IP Address", "0:0:0:0:0:0:0:1"), ("URI", "x"))
    assert names_in({"subject": subject, "subjectAltName": shown}) == {"ws1.example", "::1"}
    assert names_in({}) is None and names_in(None) is None
    assert plain("::FFFF:10.0.0.5") == "10.0.0.5"


@pytest.mark.parametrize("title", [b"A\nB", b"A\0B", b"\x7fA", b"../x", b"A\\B", b"\xc3\xa9", b" " * 16])
def test_H16_titles_that_are_none_are_rejected(title: bytes) -> None:
    for asked in (request(calling=title), request(called=title)):
        assert isinstance(verdict(asked), Rejected)


def test_H16_a_title_of_seventeen_bytes_is_none() -> None:
    assert titles.title_of(b"A" * 17) is None


def test_C18_window_is_what_we_do_and_any_pdu_size_is_taken() -> None:
    for size, asked, given in ((0, (8, 8), (8, 1)), (16384, (0, 0), (16, 1)), (16384, (500, 1), (16, 1))):
        accepted = verdict(request(asynchronous_window=asked, pdu_bytes_max=size))
        assert isinstance(accepted, Accepted)
        assert accepted.answer.user.asynchronous_window == given
        assert accepted.peer_pdu_bytes_max == size
        assert accepted.answer.user.pdu_bytes_max == 131072
    plain = verdict(request())
    assert isinstance(plain, Accepted) and plain.answer.user.asynchronous_window is None
    getting = verdict(request([(1, classes.STUDY_ROOT_GET, [classes.IMPLICIT_LITTLE])], asynchronous_window=(8, 8)))
    assert isinstance(getting, Accepted) and getting.answer.user.asynchronous_window == (1, 1)


def test_C17_the_peer_may_be_scp_of_storage_alone() -> None:
    mr, find = CT.replace("1.1.2", "1.1.4"), classes.STUDY_ROOT_FIND
    syntaxes = [classes.EXPLICIT_LITTLE]
    accepted = verdict(
        request(
            [
                (1, CT, syntaxes),
                (3, CT + ".1", syntaxes),
                (5, find, syntaxes),
                (7, mr, syntaxes),
                (9, mr + ".1", syntaxes),
            ],
            roles=[(CT, True, True), (CT + ".1", False, True), (find, False, True), (mr + ".1", False, False)],
        )
    )
    assert isinstance(accepted, Accepted)
    agreed = [(CT, True, True), (CT + ".1", False, True), (find, False, False), (mr + ".1", False, False)]
    assert list(accepted.answer.user.roles) == agreed
    assert [result for _, result, _ in accepted.answer.contexts] == [0, 0, 1, 0, 1]
    stores = {identifier: storage for identifier, (_, _, storage) in accepted.contexts.items()}
    assert stores == {1: True, 3: False, 7: True}
    assert accepted.sendable == {(CT, classes.EXPLICIT_LITTLE): 1, (CT + ".1", classes.EXPLICIT_LITTLE): 3}


def test_what_goes_beyond_the_base_is_answered_as_far_as_it_was_asked() -> None:
    asked = [(classes.STUDY_ROOT_FIND, b"\1\0\1\1"), (classes.STUDY_ROOT_MOVE, b"\1"), (CT, b"\2\0\1\0\0\0")]
    accepted = verdict(request(extended=asked))
    assert isinstance(accepted, Accepted)
    answered = [(classes.STUDY_ROOT_FIND, b"\1\0\1\1"), (classes.STUDY_ROOT_MOVE, b"\1")]
    assert list(accepted.answer.user.extended) == answered
    assert accepted.options[classes.STUDY_ROOT_FIND].relational
    assert accepted.options[classes.STUDY_ROOT_MOVE].relational


@pytest.mark.parametrize("information", [b"", b"\1", b"\1\0\1\1\1\1"])
def test_both_must_want_what_goes_beyond_the_base(information: bytes) -> None:
    offered = extended.Options(relational=True, fuzzy=True)
    agreed = extended.agreed([(classes.STUDY_ROOT_FIND, information)], offered)[classes.STUDY_ROOT_FIND]
    assert agreed.relational == (information[:1] == b"\1")
    assert agreed.fuzzy == (len(information) > 2)
    assert not agreed.combined_date_time and not agreed.zone


def test_whom_the_peer_acts_for_is_read_and_not_vouched_for() -> None:
    accepted = verdict(request(user_identity=(2, True, b"jane", b"secret")))
    assert isinstance(accepted, Accepted)
    assert accepted.identity == (2, b"jane")
    assert accepted.answer.user.user_identity is None
    plain = verdict(request())
    assert isinstance(plain, Accepted) and plain.identity is None


def test_granted_counts_only_what_was_proposed() -> None:
    asked = propose("A", "B", [(CT, JPEG_LOSSLESS), (CT, classes.EXPLICIT_LITTLE)], 16384)
    answers = pdu.AssociateAccept(
        b"B" * 16,
        b"A" * 16,
        APPLICATION_CONTEXT,
        [(1, 4, ""), (3, 0, classes.EXPLICIT_LITTLE), (9, 0, classes.EXPLICIT_LITTLE)],
        pdu.UserInformation(),
    )
    assert granted(asked, answers) == {(CT, classes.EXPLICIT_LITTLE): 3}


def test_every_standard_storage_class_is_known() -> None:
    from pydicom._uid_dict import UID_dictionary

    for uid, (name, kind, *_) in UID_dictionary.items():
        if kind == "SOP Class" and uid.startswith(classes.STORAGE_ROOT):
            assert classes.is_storage(uid, accept_unknown=False), name


def test_deflated_and_private_syntaxes_are_taken_because_they_can_be_walked() -> None:
    for syntax in ("1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205", "1.2.840.113619.5.2"):
        assert answered([(1, CT, [syntax])]) == [(1, 0, syntax)]
