"""filmroom find."""

from collections.abc import Sequence
from typing import Annotated, Any

from cyclopts import Parameter

from filmroom.access import perform
from filmroom.commands.place import HERE, Place
from filmroom.commands.screen import say, say_json, table

_COLUMNS = {
    "study": (
        "PatientID",
        "PatientName",
        "StudyDate",
        "ModalitiesInStudy",
        "StudyDescription",
        "NumberOfStudyRelatedInstances",
    ),
    "series": ("PatientID", "Modality", "SeriesNumber", "SeriesDescription", "NumberOfSeriesRelatedInstances"),
    "instance": ("PatientID", "Modality", "SeriesNumber", "InstanceNumber", "SOPClassUID"),
}
_UID_COLUMN = {"study": "StudyInstanceUID", "series": "SeriesInstanceUID", "instance": "SOPInstanceUID"}


async def find(
    *query: str,
    limit: int | None = None,
    sort: Annotated[Sequence[str], Parameter(allow_leading_hyphen=True)] = (),
    json: bool = False,
    uids: bool = False,
    place: Place = HERE,
) -> int:
    """Search. QUERY is [level=study|series|instance] KEY=VALUE...: a keyword, 8 hex digits or a dotted path.

    Values match as in C-FIND: DOE*, 20240101-20240131, a list parted by backslash. Nothing found is an empty answer.

    Parameters
    ----------
    limit
        At most so many.
    sort
        Keyword to sort by; a - before it for descending.
    json
        A JSON array.
    uids
        One UID a line.
    """
    items: list[dict[str, Any]] = []
    await perform(place.load(), "find", items.append, words=list(query), limit=limit, sort=list(sort))
    total, rows = items[0]["total"], items[1:]
    if json:
        say_json([item["row"] for item in rows])
    elif uids:
        for item in rows:
            print(item["uid"])
    else:
        level = next((word[6:].lower() for word in query if word.startswith("level=")), "study")
        uid_column = _UID_COLUMN.get(level, "SOPInstanceUID")
        columns = (uid_column, *_COLUMNS.get(level, _COLUMNS["instance"]))
        table(columns, [{**item["row"], uid_column: item["uid"]} for item in rows])
    say(f"{len(rows)} of {total}" if len(rows) != total else f"{total} found")
    return 0
