"""Searching over the web (PS3.18 10.6): C23 to C32."""

import trio

from bench.statements.answers import Row, column, value, values_of
from bench.statements.objects import Keywords, instance, written
from bench.statements.statement import DATA, WEB, WRITE, Family, holds, only, same
from bench.statements.subject import Subject
from bench.statements.web import JSON

family = Family()
states = family.states

STUDY, SERIES, SOP = "0020000D", "0020000E", "00080018"
PAGE_COUNT_MAX = 20
PAGED_COUNT = 14  # so many that what comes meanwhile nearly surely falls before what was seen, whatever the order
STUDY_FIELDS = (
    "00080020", "00080030", "00080050", "00080061", "00080090", "00081030", "00081190", "00100010", "00100020",
    "00100021", "00100030", "00100040", "0020000D", "00200010", "00201206", "00201208",
)  # fmt: skip


async def found(subject: Subject, query: str) -> set[str]:
    """The studies of an answer."""
    return set(column(await subject.web.rows(f"/studies?{query}"), STUDY))


def _nowhere(subject: Subject) -> str:
    return f"/studies?PatientID=NOBODY-{subject.run.mark}"


@states("C23", needs={WEB, DATA})
async def forms_of_an_answer(subject: Subject) -> None:
    """Each usual Accept, none, and */* are answered in JSON."""
    lists = (
        JSON,
        "application/json",
        "application/dicom+json, application/json",
        "application/dicom+json, multipart/related; type=application/octet-stream",
        "*/*",
        None,
    )
    for accept in lists:
        answer = await subject.web.get(subject.of(""), accept)
        holds(answer.status == 200, f"Accept {accept or 'left out'}: {answer.status}")
        holds(len(answer.rows()) == 4, f"Accept {accept or 'left out'}: {len(answer.rows())} studies of 4")
        kind = answer.media_type
        holds(kind in (JSON, "application/json"), f"Accept {accept or 'left out'}: Content-Type {kind!r}")


@states("C24", needs={WEB})
async def nothing_found(subject: Subject) -> None:
    """No match is 200 with an empty array, or 204 without a body."""
    none = f"/studies/{subject.run.root}.404"
    for path in (_nowhere(subject), f"{none}/series", f"{none}/series/{subject.run.root}.405/instances"):
        answer = (await subject.web.get(path)).expect(200, 204)
        empty = answer.body == b"" if answer.status == 204 else answer.json() == []
        holds(empty, f"{answer.asked}: {answer.status} with {answer.body[:40]!r}")


@states("C25", needs={WEB, WRITE})
async def pages(subject: Subject) -> None:
    """Pages by offset end with an empty page, repeat nothing and leave nothing out while data arrives."""
    numbers = [subject.new_study() for _ in range(PAGED_COUNT)]
    patient = f"PAGES-{subject.run.mark}"
    named: Keywords = {**subject.other_patient(), "PatientID": patient}
    files = [written(instance(subject.run, number, **named)) for number in numbers]
    await subject.store(files)
    seen: list[str] = []
    for _ in range(PAGE_COUNT_MAX):
        path = f"/studies?PatientID={patient}&limit=2&offset={len(seen)}"
        rows = await subject.web.rows(path)
        if not rows:
            break
        holds(len(rows) <= 2, f"{len(rows)} rows where limit=2 was asked")
        seen += column(rows, STUDY)
        if len(seen) < PAGED_COUNT:  # newer ones are put first by many
            await subject.store([written(instance(subject.run, subject.new_study(), StudyDate="20250101", **named))])
    else:
        holds(False, f"no empty page after {PAGE_COUNT_MAX}")
    holds(len(set(seen)) == len(seen), "a study came on two pages")
    holds(set(seen) >= {one.study for one in files}, "a study that was there came on no page")


@states("C26", needs={WEB, DATA})
async def names_of_keys(subject: Subject) -> None:
    """Keywords and tags are both keys; limit, offset and fuzzymatching are taken."""
    made = subject.made.ct[0]
    accession, patient = made.dataset.AccessionNumber, made.dataset.PatientID
    for query in (
        f"PatientID={patient}&AccessionNumber={accession}",
        f"00100020={patient}&00080050={accession}",
        f"00100020={patient}&AccessionNumber={accession}&limit=101&offset=0&fuzzymatching=false",
    ):
        same(await found(subject, query), {made.study}, query)


@states("C26", "B02", needs={WEB, DATA})
async def fields_asked_for(subject: Subject) -> None:
    """includefield is taken as a list, repeated, by keyword and by tag, and as all."""
    path = f"/studies/{subject.made.ct[0].study}/series/{subject.made.ct[0].series}/instances?"
    for query in (
        "includefield=00080080,00180050",
        "includefield=00080080%2C00180050",
        "includefield=00080080&includefield=00180050",
        "includefield=InstitutionName,SliceThickness",
        "includefield=all",
    ):
        row = (await subject.web.rows(path + query))[0]
        same(values_of(row, "00080080"), ["Conformance Hospital"], f"{query}: 00080080")
        same(values_of(row, "00180050"), [2.5], f"{query}: 00180050")


@states("C27", needs={WEB, DATA})
async def matching(subject: Subject) -> None:
    """Wildcards, ranges and several modalities match; names without regard to case."""
    made, mark = subject.made, subject.run.mark
    own = f"PatientID=CONF-{mark}-*"
    first, prior = made.ct[0].study, made.prior.study
    third, fourth = made.frames.study, made.pdf.study
    for query, expected in (
        (f"PatientName=*synthetic{mark.lower()}*", {first, prior, fourth}),
        (f"00100020=*{mark}-3*", {third}),
        (f"AccessionNumber=*{mark}N1E*", {first}),
        (f"{own}&StudyDate=20200101-20201231", {prior}),
        (f"{own}&StudyDate=20240101-", {first, third}),
        (f"{own}&StudyDate=-20230704", {prior, fourth}),
        (f"{own}&ModalitiesInStudy=MR", {first}),
        (f"{own}&ModalitiesInStudy=MR,US", {first, prior}),
        (f"PatientName=M%C3%BCller%5ESynthetic{mark}", {first, prior}),
    ):
        same(await found(subject, query), expected, query)


@states("C28", needs={WEB, DATA})
async def lists_of_uids(subject: Subject) -> None:
    """Several StudyInstanceUIDs, by comma, backslash, or a doubled backslash."""
    pair = [subject.made.ct[0].study, subject.made.prior.study]
    for between in (",", "%2C", "%5C", "%5C%5C"):
        same(await found(subject, f"StudyInstanceUID={between.join(pair)}"), set(pair), f"UIDs joined by {between}")


@states("C29", needs={WEB, DATA})
async def a_study_row(subject: Subject) -> None:
    """A study's row has what lists show, with right counts and modalities."""
    row = only(await subject.web.rows(f"/studies?StudyInstanceUID={subject.made.ct[0].study}"))
    missing = [tag for tag in STUDY_FIELDS if tag not in row]
    holds(not missing, f"left out: {', '.join(missing)}")
    same(set(values_of(row, "00080061")), {"CT", "MR"}, "00080061")
    same([int(value(row, tag)) for tag in ("00201206", "00201208")], [2, 5], "numbers of series and instances")


@states("C30", needs={WEB, DATA})
async def lower_levels(subject: Subject) -> None:
    """Series and instances, below a study and without one in the path."""
    first = subject.made.ct[0]
    rows = await subject.web.rows(f"/studies/{first.study}/series?includefield=0008103E,00080021")
    same(set(column(rows, SERIES)), {first.series, subject.made.mr[0].series}, "series of the study")
    same({value(row, "0008103E") for row in rows}, {"Conformance series 1", "Conformance series 2"}, "0008103E")
    for path in (
        f"/studies/{first.study}/series?0020000E={first.series}&includefield=00201209",
        f"/series?0020000E={first.series}&includefield=00201209",
    ):
        row = only(await subject.web.rows(path))
        same((value(row, SERIES), int(value(row, "00201209"))), (first.series, 3), path)
    three = {one.sop for one in subject.made.ct}
    for path, expected in (
        (f"/instances?00080018={first.sop}", {first.sop}),
        (f"/studies/{first.study}/instances?SeriesInstanceUID={first.series}", three),
        (f"/studies/{first.study}/series/{first.series}/instances", three),
    ):
        same(set(column(await subject.web.rows(path), SOP)), expected, path)


@states("C31", needs={WEB, DATA})
async def the_json_model(subject: Subject) -> None:
    """Every attribute has its VR; names are objects, numbers numbers, empty values left out; UTF-8, and said so."""
    first = subject.made.ct[0]
    for row in await subject.web.rows(f"/studies/{first.study}/series/{first.series}/instances"):
        check_model(row)
    row = only(await subject.web.rows(f"{first.path}/metadata"))
    check_model(row)
    same(row["00100010"], {"vr": "PN", "Value": [{"Alphabetic": subject.run.patient_name("Müller")}]}, "00100010")
    same(value(row, "00200013"), 1, "00200013 (IS)")
    same(value(row, "00180050"), 2.5, "00180050 (DS)")
    same(values_of(row, "00080005"), ["ISO_IR 192"], "00080005")
    same(values_of(row, "00104000"), [], "00104000, which is empty")
    same(value(value(value(row, "00400275"), "00400008"), "00080100"), "CONF", "a code in an item of an item")
    name = subject.made.frames.dataset.PatientName
    row = only(await subject.web.rows(f"/studies?StudyInstanceUID={subject.made.frames.study}"))
    expected = {"Alphabetic": name.alphabetic, "Ideographic": name.ideographic, "Phonetic": name.phonetic}
    same(value(row, "00100010"), expected, "a name of three groups")


def check_model(row: Row) -> None:
    """Form of each attribute (PS3.18 F.2.2)."""
    for tag, attribute in row.items():
        holds(len(tag) == 8 and tag.upper() == tag, f"{tag!r} is no tag of eight upper case digits")
        holds(isinstance(attribute, dict) and "vr" in attribute, f"{tag} has no vr: {attribute!r}")
        kinds = {"IS": (int,), "DS": (int, float), "US": (int,), "PN": (dict,), "SQ": (dict,)}.get(attribute["vr"])
        values = attribute.get("Value", [])
        holds("Value" not in attribute or values, f"{tag} has an empty array as Value")
        for one in values:
            if kinds is not None and one is not None:
                holds(isinstance(one, kinds), f"{tag} ({attribute['vr']}) holds {one!r}")
            if attribute["vr"] == "SQ" and one:
                check_model(one)


@states("C32", needs={WEB, DATA})
async def what_was_left_out_is_said(subject: Subject) -> None:
    """More results than are returned: Warning 299."""
    answer = await subject.web.get(subject.of("limit=2"))
    holds(len(answer.rows()) == 2, f"{len(answer.rows())} rows where limit=2 was asked")
    warning = answer.headers.get("warning", "")
    holds(warning.startswith("299"), f"Warning: {warning or 'none'} where 2 of 4 studies were answered")


@states("C32", needs={WEB})
async def a_broad_search_ends(subject: Subject) -> None:
    """A search for everything is answered within ten seconds."""
    with trio.move_on_after(10) as scope:
        (await subject.web.get("/studies")).expect(200, 204, 413)
    holds(not scope.cancelled_caught, "no answer within 10 s")


@states("B01", needs={WEB, DATA})
async def values_are_decoded(subject: Subject) -> None:
    """Every value is percent-decoded, a star too."""
    mark = subject.run.mark
    query = f"PatientName=Yamada%2A&PatientID=CONF-{mark}%2D%2A&StudyDate=20240301"
    same(await found(subject, query), {subject.made.frames.study}, query)
