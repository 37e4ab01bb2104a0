"""What OHIF 3.13 asks, as it was recorded in a browser: O01 to O10, O12, O16."""

import trio

from bench.statements.answers import column, value, values_of
from bench.statements.collection import LONG_VALUE
from bench.statements.frames import KINDS, frame, one_frame, trimmed
from bench.statements.metadata import PROFILE, bulky, profile_link, waveform
from bench.statements.objects import body_of
from bench.statements.statement import DATA, WEB, Family, holds, only, same
from bench.statements.subject import Subject
from bench.statements.wado import is_image
from bench.statements.web import ANY_FRAME, MULTIPART_DICOM

family = Family()
states = family.states

LIST = "limit=101&offset=0&fuzzymatching=true&includefield=00081030%2C00080060%2C00080090%2C00100030"
SERIES_FIELDS = "includefield=00080021%2C00080031%2C0008103E%2C00200011"
AT_ONCE = 125
SLIDE = (
    ", ".join(
        f'multipart/related; type="{kind}"; transfer-syntax=1.2.840.10008.1.2.4.{tail}'
        for kind, tail in (
            ("image/jls", 80),
            ("image/jls", 81),
            ("image/jp2", 90),
            ("image/jp2", 91),
            ("image/jpx", 92),
            ("image/jpx", 93),
            ("image/jpeg", 50),
        )
    )
    + ', multipart/related; type="application/octet-stream"; transfer-syntax=*'
)


@states("O01", needs={WEB, DATA})
async def the_list(subject: Subject) -> None:
    """The list: a comma list of tags, descriptions, modalities, counts, names of three groups."""
    rows = await subject.web.rows(f"/studies?{LIST}&PatientID=CONF-{subject.run.mark}-*")
    found = {value(row, "0020000D"): row for row in rows}
    made = subject.made
    same(set(found), {one.study for one in (made.ct[0], made.prior, made.frames, made.pdf)}, "studies")
    row = found[made.ct[0].study]
    same(values_of(row, "00081030"), ["Conformance study 1"], "00081030")
    same(set(values_of(row, "00080061")), {"CT", "MR"}, "00080061")
    same([int(value(row, tag)) for tag in ("00201206", "00201208")], [2, 5], "numbers of series and instances")
    same(values_of(row, "00100030"), ["19700101"], "00100030")
    name = value(found[made.frames.study], "00100010")
    holds(name.get("Ideographic", "").startswith("山田"), f"a name without its ideographic group: {name}")


@states("O02", needs={WEB, DATA})
async def filters(subject: Subject) -> None:
    """Its filters: stars around words in any case, tags mixed with keywords, two modalities, a range of dates."""
    made, mark = subject.made, subject.run.mark
    own = f"00100020=*CONF-{mark}*"
    for query, expected in (
        (f"PatientName=*yamada^tarou{mark.lower()}*", {made.frames.study}),
        (f"00100020=*{mark}-3*", {made.frames.study}),
        (f"AccessionNumber=*{mark}N2*", {made.prior.study}),
        (f"{own}&StudyDescription=*prior*", {made.prior.study}),
        (f"{own}&ModalitiesInStudy=CT,MR", {made.ct[0].study}),
        (f"{own}&StudyDate=20240101-20240215", {made.ct[0].study}),
    ):
        same(set(column(await subject.web.rows(f"/studies?{query}&{LIST}"), "0020000D")), expected, query)


@states("O03", needs={WEB, DATA})
async def one_study(subject: Subject) -> None:
    """A study by its UID."""
    study = subject.made.ct[0].study
    same(column(await subject.web.rows(f"/studies?{LIST}&StudyInstanceUID={study}"), "0020000D"), [study], "studies")


@states("O04", needs={WEB, DATA})
async def priors(subject: Subject) -> None:
    """Prior studies of the patient."""
    rows = await subject.web.rows(f"/studies?00100020=CONF-{subject.run.mark}-1&{LIST}")
    same(set(column(rows, "0020000D")), {subject.made.ct[0].study, subject.made.prior.study}, "studies of the patient")


@states("O05", needs={WEB, DATA})
async def series_with_fields(subject: Subject) -> None:
    """Series of a study with the fields asked."""
    for row in await subject.web.rows(f"/studies/{subject.made.ct[0].study}/series?{SERIES_FIELDS}"):
        number = int(value(row, "00200011"))
        same(value(row, "0008103E"), f"Conformance series {number}", "0008103E")
        same((value(row, "00080021"), value(row, "00080031")[:6]), ("20240110", "101600"), "00080021 and 00080031")


@states("O06", needs={WEB, DATA})
async def metadata_of_all_series_at_once(subject: Subject) -> None:
    """Metadata of all series at once, each with the transfer syntax in which it is."""
    counts: dict[str, int] = {}

    async def ask(series: str) -> None:
        rows = await subject.web.rows(f"/studies/{subject.made.ct[0].study}/series/{series}/metadata")
        counts[series] = len(rows)

    async with trio.open_nursery() as nursery:
        for made in (subject.made.ct[0], subject.made.mr[0]):
            nursery.start_soon(ask, made.series)
    same(sorted(counts.values()), [2, 3], "instances of the two series")
    for made in (subject.made.jpeg, subject.made.frames):
        row = only(await subject.web.rows(f"/studies/{made.study}/series/{made.series}/metadata"))
        said = values_of(row, "00083002") or values_of(row, "00020010")
        same(said, [made.syntax], "00083002 AvailableTransferSyntaxUID")


@states("O06", needs={WEB, DATA})
async def palettes_inline(subject: Subject) -> None:
    """Palettes of a few kB come inline."""
    row = await bulky(subject)
    for tag in ("00281201", "00281202", "00281203"):
        holds("InlineBinary" in row.get(tag, {}), f"{tag}, 4096 bytes, is not inline: {sorted(row.get(tag, {}))}")


@states("O07", needs={WEB, DATA})
async def frames_as_they_are(subject: Subject) -> None:
    """Frames as they are stored, for the unquoted and the quoted Accept."""
    quoted = 'multipart/related; type="application/octet-stream"; transfer-syntax="*"'
    made = subject.made
    for one in (made.frames, made.rle, made.jpeg, made.jpeg_2000, made.jpeg_ls):
        for accept in (ANY_FRAME, quoted):
            part = await one_frame(subject, one, accept)
            same((part.media_type, part.transfer_syntax), (KINDS[one.syntax], one.syntax), f"Accept {accept}")


@states("O07", needs={WEB, DATA})
async def many_frames_at_once(subject: Subject) -> None:
    """125 frames at once."""
    got: dict[int, bytes] = {}

    async def ask(number: int) -> None:
        got[number] = (await one_frame(subject, subject.made.many, ANY_FRAME, str(number))).body

    async with trio.open_nursery() as nursery:
        for number in range(1, AT_ONCE + 1):
            nursery.start_soon(ask, number)
    wrong = [number for number in sorted(got) if got[number] != frame(number)]
    holds(not wrong, f"other pixels in frames {wrong[:9]}")


@states("O08", needs={WEB, DATA})
async def a_long_accept(subject: Subject) -> None:
    """Frames for a list of eight media types: the stored one is chosen."""
    made = subject.made
    for one in (made.frames, made.jpeg, made.jpeg_2000, made.jpeg_ls):
        part = await one_frame(subject, one, SLIDE)
        same(
            (part.media_type, part.transfer_syntax), (KINDS[one.syntax], one.syntax), f"a frame stored in {one.syntax}"
        )
    holds(trimmed((await one_frame(subject, made.frames, SLIDE)).body) == trimmed(frame(1)), "other pixels")


@states("O09", needs={WEB, DATA})
async def whole_objects(subject: Subject) -> None:
    """Whole objects for multipart/related; type="application/dicom"."""
    part = (await subject.web.get(subject.made.bulky.path, MULTIPART_DICOM)).part()
    same(part.media_type, "application/dicom", "media type of the part")
    same(body_of(part.body), subject.made.bulky.body, "the data set")


@states("O10", needs={WEB, DATA})
async def linked_values(subject: Subject) -> None:
    """Values in items alone, others as a part or without a wish."""
    link = waveform(await bulky(subject)).get("BulkDataURI", "")
    holds(link, "a waveform in an item has no BulkDataURI")
    same((await subject.web.get(link, "application/octet-stream")).expect(200).body, LONG_VALUE, "the waveform")
    link = await profile_link(subject)
    same(
        (await subject.web.get(link, "multipart/related; type=application/octet-stream")).part().body,
        LONG_VALUE,
        PROFILE,
    )
    answer = (await subject.web.get(link, None)).expect(200)
    body = answer.part().body if answer.media_type.startswith("multipart/") else answer.body
    same(body, LONG_VALUE, f"{PROFILE} without an Accept")


@states("O12", needs={WEB, DATA})
async def types_in_the_query(subject: Subject) -> None:
    """Images whose type the query names: accept=image/jpeg, encoded too."""
    path = subject.made.ct[0].path
    for target in ("rendered?accept=image/jpeg", "rendered?accept=image%2Fjpeg", "thumbnail?accept=image/jpeg"):
        is_image(await subject.web.get(f"{path}/{target}", "*/*"), "image/jpeg")


@states("O16", needs={WEB, DATA})
async def ranges_of_frames(subject: Subject) -> None:
    """A range of a frame is answered with 206, or with all of it."""
    path = f"{subject.made.frames.path}/frames/1"
    answer = (await subject.web.get(path, ANY_FRAME, Range="bytes=0-65535")).expect(200, 206)
    same(answer.part().body, frame(1), "the frame")
