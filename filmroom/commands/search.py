"""filmroom find."""

from collections.abc import Sequence
from typing import Annotated, Any

from cyclopts import Parameter

from engine import Invalid
from filmroom.access import perform
from filmroom.commands.place import HERE, Place
from filmroom.commands.screen import say, say_json, table

_COLUMNS = {
    "study": {
        "PatientID": "patient",
        "PatientName": "name",
        "StudyDate": "date",
        "ModalitiesInStudy": "kind",
        "StudyDescription": "description",
        "NumberOfStudyRelatedInstances": "count",
    },
    "series": {
        "PatientID": "patient",
        "Modality": "kind",
        "SeriesNumber": "no",
        "SeriesDescription": "description",
        "NumberOfSeriesRelatedInstances": "count",
    },
    "instance": {"PatientID": "patient", "Modality": "kind", "SeriesNumber": "series", "InstanceNumber": "no"},
}


async def find(
    *query: str,
    limit: int | None = None,
    sort: Annotated[Sequence[str], Parameter(allow_leading_hyphen=True)] = (),
    json: bool = False,
    uids: bool = False,
    place: Place = HERE,
) -> int:
    """Search. Nothing found is an empty answer, exit code 0.

    Parameters
    ----------
    query
        [level=study|series|instance] KEY=VALUE... The level is study, or that of the lowest UID among the keys. KEY: a
        DICOM keyword, 8 hex digits, a dotted path of these, or GGGG,CREATOR,EE. VALUE as in C-FIND: DOE*,
        20240101-20240131, a list parted by backslash; empty matches all.
    limit
        At most so many.
    sort
        Key to sort by, - before it for descending; may be repeated.
    json
        A JSON array of objects: keyword (or 8 hex digits) to text, several values parted by backslash.
    uids
        One UID of the level a line.
    """
    if json and uids:
        raise Invalid("--json or --uids, not both")
    items: list[dict[str, Any]] = []
    await perform(place.load(), "find", items.append, words=list(query), limit=limit, sort=list(sort))
    total, rows = items[0]["total"], items[1:]
    if json:
        say_json([item["row"] for item in rows])
    elif uids:
        for item in rows:
            print(item["uid"])
    else:
        columns = {**_COLUMNS[items[0]["level"]], "uid": "UID"}
        table(columns, [{**item["row"], "uid": item["uid"]} for item in rows], whole="uid")
    say(f"{len(rows)} of {total}" if len(rows) != total else f"{total} found")
    return 0
