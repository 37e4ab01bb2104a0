"""Metadata and the values that it links (PS3.18 10.4.1, 10.4.3): C33 to C35, C50, B06."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from bench.statements.answers import Answer, Row, column, value, values_of
from bench.statements.collection import LONG_VALUE
from bench.statements.statement import DATA, WEB, Family, holds, same
from bench.statements.subject import Subject
from bench.statements.web import JSON

family = Family()
states = family.states

PROFILE, WAVEFORM = "00282000", ("54000100", "54001010")
LINKED_MAX = 100


def links(row: Row) -> Iterator[str]:
    """Every BulkDataURI, in items too."""
    for attribute in row.values():
        if isinstance(attribute, dict):
            if "BulkDataURI" in attribute:
                yield str(attribute["BulkDataURI"])
            for item in attribute.get("Value", []) if attribute.get("vr") == "SQ" else []:
                yield from links(item)


async def bulky(subject: Subject) -> Row:
    """Metadata of the instance with long values."""
    return (await subject.web.rows(f"{subject.made.bulky.path}/metadata"))[0]


async def profile_link(subject: Subject) -> str:
    """Where its colour profile is."""
    found = (await bulky(subject)).get(PROFILE, {}).get("BulkDataURI", "")
    holds(found, f"{PROFILE}, {len(LONG_VALUE)} bytes, has no BulkDataURI")
    return str(found)


def waveform(row: Row) -> Row:
    """The attribute with the values of its waveform."""
    return dict(value(row, WAVEFORM[0]).get(WAVEFORM[1], {}))


@states("C33", needs={WEB, DATA})
async def metadata_is_whole(subject: Subject) -> None:
    """Metadata of a series, a study, an instance: all instances and all attributes in one array."""
    first = subject.made.ct[0]
    rows = await subject.web.rows(f"/studies/{first.study}/series/{first.series}/metadata")
    same(sorted(column(rows, "00080018")), sorted(one.sop for one in subject.made.ct), "instances of the series")
    row = next(row for row in rows if value(row, "00080018") == first.sop)
    wanted = {f"{element.tag.group:04X}{element.tag.element:04X}" for element in first.dataset} - {"7FE00010"}
    holds(not wanted - row.keys(), f"left out: {', '.join(sorted(wanted - row.keys()))}")
    same(values_of(row, "00091001"), ["private 1"], "a private element")
    same(len(await subject.web.rows(f"/studies/{first.study}/metadata")), 5, "instances of the study")
    same(column(await subject.web.rows(f"{first.path}/metadata"), "00080018"), [first.sop], "the instance")


@states("C33", needs={WEB, DATA})
async def metadata_is_packed(subject: Subject) -> None:
    """Accept-Encoding: gzip is honoured."""
    path = f"/studies/{subject.made.ct[0].study}/metadata"
    answer = (await subject.web.get(path, Accept_Encoding="gzip")).expect(200)
    same(answer.headers.get("content-encoding", "none"), "gzip", "Content-Encoding")
    same(len(answer.rows()), 5, "instances")


@states("C33", needs={WEB, DATA})
async def metadata_is_remembered(subject: Subject) -> None:
    """An ETag, and 304 when it is sent back."""
    path = f"/studies/{subject.made.ct[0].study}/series/{subject.made.ct[0].series}/metadata"
    tag = (await subject.web.get(path)).expect(200).headers.get("etag", "")
    holds(tag, "no ETag")
    (await subject.web.get(path, If_None_Match=tag)).expect(304)


@states("C34", needs={WEB, DATA})
async def long_values_are_links(subject: Subject) -> None:
    """Long values come as absolute BulkDataURIs, in items too, and each leads to its bytes."""
    row = await bulky(subject)
    found = [row.get(PROFILE, {}).get("BulkDataURI", ""), waveform(row).get("BulkDataURI", "")]
    holds(all(found), f"without BulkDataURI, of {len(LONG_VALUE)} bytes each: {PROFILE} or {WAVEFORM[1]} in its item")
    for link in found:
        holds(urlsplit(link).scheme in ("http", "https"), f"{link} is not absolute")
        answer = (await subject.web.get(link, "*/*")).expect(200)
        body = answer.part().body if answer.media_type.startswith("multipart/") else answer.body
        same(body, LONG_VALUE, answer.asked)


@states("C35", needs={WEB, DATA})
async def bulk_data_alone_and_as_a_part(subject: Subject) -> None:
    """Bulk data comes alone for application/octet-stream and */*, as a part for multipart/related."""
    link = await profile_link(subject)
    for accept in ("application/octet-stream", "*/*"):
        same((await subject.web.get(link, accept)).expect(200).body, LONG_VALUE, f"Accept {accept}")
    for accept in (
        "multipart/related; type=application/octet-stream",
        'multipart/related; type="application/octet-stream"',
    ):
        same((await subject.web.get(link, accept)).part().body, LONG_VALUE, f"Accept {accept}")


@states("C35", needs={WEB, DATA})
async def ranges_of_bulk_data(subject: Subject) -> None:
    """A range of bulk data is 206 with its bytes."""
    link = await profile_link(subject)
    answer = (await subject.web.get(link, "application/octet-stream", Range="bytes=256-511")).expect(206)
    same(answer.body, LONG_VALUE[256:512], "bytes 256 to 511")
    same(answer.headers.get("content-range", "none"), f"bytes 256-511/{len(LONG_VALUE)}", "Content-Range")


@states("C50", needs={WEB})
async def capabilities(subject: Subject) -> None:
    """OPTIONS of the root answers a document that names what is served."""
    for accept in ("application/vnd.sun.wadl+xml", JSON, "application/json"):
        answer = await subject.web.ask("OPTIONS", "/", {"Accept": accept})
        if answer.status == 200 and b"studies" in answer.body:
            return
    holds(False, f"OPTIONS of the root: {answer.status}, {len(answer.body)} bytes, none of them about studies")


@states("C50", needs={WEB, DATA})
async def every_url_can_be_fetched(subject: Subject) -> None:
    """Every RetrieveURL and BulkDataURI of an answer can be fetched with the token of the answer."""
    made = subject.made.bulky
    levels = (
        f"/studies?StudyInstanceUID={made.study}",
        f"/studies/{made.study}/series?SeriesInstanceUID={made.series}",
        f"/studies/{made.study}/series/{made.series}/instances?SOPInstanceUID={made.sop}",
    )
    for path in levels:
        url = str(value((await subject.web.rows(path))[0], "00081190"))
        holds("://" in url, f"{path}: RetrieveURL {url} is not absolute")
        (await subject.web.get(url, 'multipart/related; type="application/dicom"; transfer-syntax=*')).expect(200)
    found = list(links(await bulky(subject)))
    for link in found[:LINKED_MAX]:
        (await subject.web.get(link, "*/*")).expect(200)


@states("B06", needs={WEB, DATA})
async def links_lead_here(subject: Subject) -> None:
    """Links have the origin that was asked, also when Host names no port."""
    here = urlsplit(subject.web.root)
    for host in (here.netloc, here.hostname or ""):
        answer = await subject.web.get(f"{subject.made.bulky.path}/metadata", Host=host)
        _check_origin(answer, f"{here.scheme}://{here.netloc}", host)


def _check_origin(answer: Answer, origin: str, host: str) -> None:
    found = list(links(answer.rows()[0]))
    holds(found, "no links in the metadata of long values")
    for link in found:
        there = urlsplit(link)
        same(f"{there.scheme}://{there.netloc}", origin, f"Host {host}: the origin of a link")
