"""Associations (PS3.8 7, PS3.7 D): C01 to C03, C18, C20, B08."""

import ssl

import trio

from bench.data import CT, EXPLICIT_LITTLE
from bench.statements.asking import STUDY_ROOT_FIND, found, keys_of, texts
from bench.statements.association import PLAIN, Gone, Proposal, Rejected, associated
from bench.statements.objects import EXPLICIT_BIG, IMPLICIT_LITTLE, RLE
from bench.statements.statement import DATA, DIMSE, TLS, Family, Unmet, Untried, holds, same
from bench.statements.subject import Subject

family = Family()
states = family.states

VERIFICATION = "1.2.840.10008.1.1"
UNKNOWN_CLASS = "1.2.840.10008.5.1.4.99.99.99"
UNKNOWN_SYNTAX = "1.2.840.10008.1.2.4.9999"
UNKNOWN_ABSTRACT_SYNTAX, UNKNOWN_TRANSFER_SYNTAX = 3, 4
CONTEXTS = 128
SMALL_PDU_BYTES = 16384
CLOSING_SECONDS_MAX = 15
MANY_SYNTAXES = (
    IMPLICIT_LITTLE,
    EXPLICIT_LITTLE,
    EXPLICIT_BIG,
    RLE,
    *(f"1.2.840.10008.1.2.4.{number}" for number in (*range(50, 67), 70, 80, 81, 90, 91, 100, 101, 102, 103)),
)


@states("C01", needs={DIMSE})
async def echo(subject: Subject) -> None:
    """C-ECHO with Implicit VR Little Endian alone, and with 30 transfer syntaxes proposed."""
    for syntaxes in ((IMPLICIT_LITTLE,), MANY_SYNTAXES):
        async with subject.associate([(VERIFICATION, syntaxes)]) as opened:
            same(await opened.echo(), 0, f"C-ECHO with {len(syntaxes)} transfer syntaxes: status")


@states("C02", needs={DIMSE})
async def every_context_is_answered(subject: Subject) -> None:
    """128 presentation contexts are answered each: unknown abstract syntax 3, unknown transfer syntax 4."""
    proposals: list[Proposal] = [
        (VERIFICATION, [IMPLICIT_LITTLE]),
        (UNKNOWN_CLASS, PLAIN),
        (VERIFICATION, [UNKNOWN_SYNTAX]),
    ]
    proposals += [(CT, PLAIN)] * (CONTEXTS - len(proposals))
    async with subject.associate(proposals) as opened:
        results = {number: result for number, (_, result, _) in opened.contexts.items()}
        same(len(results), CONTEXTS, "contexts answered")
        same(results[1], 0, "result of Verification")
        same(results[3], UNKNOWN_ABSTRACT_SYNTAX, "result of an unknown abstract syntax")
        same(results[5], UNKNOWN_TRANSFER_SYNTAX, "result of an unknown transfer syntax")
        same({results[number] for number in results if number > 5}, {0}, "results of 125 times CT")
        same(await opened.echo(), 0, "C-ECHO after it: status")


@states("C03", needs={DIMSE})
async def a_wrong_called_title(subject: Subject) -> None:
    """A wrong called AE title, where titles are checked, is rejected 1/1/7."""
    try:
        async with subject.associate([(VERIFICATION, PLAIN)], called="NOSUCHTITLE"):
            pass
    except Rejected as rejected:
        same(rejected.said, (1, 1, 7), "rejected with")
        return
    raise Untried("every called AE title is served: its check is off")


@states("C03", needs={DIMSE})
async def spaces_do_not_count(subject: Subject) -> None:
    """Spaces before and behind a called AE title do not count."""
    title = subject.target.ae_title
    if len(title) == 16:
        raise Untried("its AE title fills all 16 bytes")
    async with subject.associate([(VERIFICATION, PLAIN)], called=f" {title}") as opened:
        same(await opened.echo(), 0, "C-ECHO: status")


@states("C03", "B08", needs={DIMSE})
async def an_unknown_calling_title(subject: Subject) -> None:
    """An unknown calling AE title is served, or rejected 1/1/3: its search never aborted without a reason."""
    try:
        nobody = f"NOBODY{subject.run.mark}"
        async with subject.associate([(STUDY_ROOT_FIND, PLAIN)], calling=nobody) as opened:
            keys = keys_of("STUDY", StudyInstanceUID=f"{subject.run.root}.404")
            same(len(await found(opened, keys)), 0, "studies found")
    except Rejected as rejected:
        same(rejected.said, (1, 1, 3), "rejected with")


@states("C18", needs={DIMSE, DATA})
async def small_and_unlimited_pdus(subject: Subject) -> None:
    """A maximum PDU length of 0 (unlimited) and of 16 KiB are kept to."""
    keys = keys_of("STUDY", StudyInstanceUID="", PatientID=f"CONF-{subject.run.mark}-*", StudyDescription="")
    for bytes_max in (0, SMALL_PDU_BYTES):
        async with subject.associate([(STUDY_ROOT_FIND, PLAIN)], pdu_bytes_max=bytes_max) as opened:
            studies = texts(await found(opened, keys), "StudyInstanceUID")
            same(len(studies), 4, f"studies found with a maximum of {bytes_max}")
            holds(not bytes_max or opened.longest_pdu_bytes <= bytes_max, f"a PDU of {opened.longest_pdu_bytes} bytes")


@states("C18", needs={DIMSE})
async def an_asynchronous_window(subject: Subject) -> None:
    """An asynchronous operations window is granted or left out, and the association works."""
    async with subject.associate([(VERIFICATION, PLAIN)], window=(8, 8)) as opened:
        granted = opened.user.asynchronous_window
        holds(granted is None or (granted[0] <= 8 and granted[1] <= 8), f"8, 8 asked, {granted} granted")
        same(await opened.echo(), 0, "C-ECHO: status")


@states("C20", needs={TLS})
async def tls(subject: Subject) -> None:
    """TLS 1.2 and TLS 1.3."""
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = ssl.create_default_context(cafile=subject.asked.certificates or None)
        context.minimum_version = context.maximum_version = version
        target = subject.tls_target
        async with associated(target, [(VERIFICATION, PLAIN)], subject.asked.calling, tls=context) as opened:
            same(await opened.echo(), 0, f"C-ECHO over {version.name}: status")


@states("C20", needs={TLS})
async def plaintext_on_the_tls_port(subject: Subject) -> None:
    """Plaintext on the TLS port ends at once."""
    with trio.move_on_after(CLOSING_SECONDS_MAX):
        try:
            async with associated(subject.tls_target, [(VERIFICATION, PLAIN)], subject.asked.calling):
                raise Unmet("an association without TLS is accepted on the TLS port")
        except (Gone, OSError, trio.BrokenResourceError):
            return
    raise Unmet(f"the connection is open after {CLOSING_SECONDS_MAX} s")
