"""Values as people read them, what the address means, and figures over time: pure, so by table."""

from typing import Any

import pytest

from protocols.web.rest.history import EVERY_SECONDS, KEPT_COUNT_MAX, Sample
from protocols.web.status_page import shown
from protocols.web.status_page.searched import searched_of
from protocols.web.status_page.tiles import Tile, tiles_of
from tests.protocols.web.serving import Served, serving
from tests.protocols.web.studies import files, instance

BOUNDS = (0.001, 0.01, 0.1)


@pytest.mark.parametrize(
    ("shape", "value", "text"),
    [
        (shown.name, "Doe^Jane^^Dr^", "Doe, Jane, Dr"),
        (shown.name, "Yamada^Tarou=山田^太郎=やまだ", "Yamada, Tarou"),
        (shown.name, "=山田^太郎", "山田, 太郎"),
        (shown.name, "^^^=^", ""),
        (shown.other_name, "Yamada^Tarou=山田^太郎", "山田, 太郎"),
        (shown.other_name, "Doe^Jane", ""),
        (shown.listed, "CT\\SR", "CT, SR"),
        (shown.day, "20240229", "2024-02-29"),
        (shown.day, "2024.02.29", "2024-02-29"),
        (shown.day, "soon", "soon"),
        (shown.time_of_day, "101500.25", "10:15"),
        (shown.time_of_day, "1", "1"),
        (shown.moment, "2026-11-24T22:40:01.123456Z", "2026-11-24 22:40:01 UTC"),
        (shown.moment, None, ""),
        (shown.count, 1234567, "1\u202f234\u202f567"),
        (shown.size, 0, "0 B"),
        (shown.size, 999, "999 B"),
        (shown.size, 1500, "1.5 kB"),
        (shown.size, 999_600, "1.0 MB"),
        (shown.size, 73_200_000_000, "73.2 GB"),
        (shown.duration, 59, "59 s"),
        (shown.duration, 90_000, "1 d"),
        (shown.plain, "a\u202eb\x07", "a\ufffdb\ufffd"),
        (shown.sparkline, [1], ""),
        (shown.sparkline, [0, 0], "M0.0 22.0 L200.0 22.0"),
        (shown.sparkline, [5, 5], "M0.0 12.0 L200.0 12.0"),
        (shown.sparkline, [0, 10, 5], "M0.0 22.0 L100.0 2.0 L200.0 12.0"),
    ],
)
def test_values_are_shown_as_people_read_them(shape: Any, value: Any, text: str) -> None:
    assert shape(value) == text


def test_an_address_means_a_search_and_back() -> None:
    query = [
        ("q", " doe "), ("by", "PatientID"), ("PatientName", "x"), ("modality", "CT"), ("from", "20240101"),
        ("to", "no day"), ("sort", "-PatientID"), ("page", "3"), ("unknown", "x"),
    ]  # fmt: skip
    one = searched_of(query)
    assert one.address(page=3) == "?q=doe&by=PatientID&PatientName=x&modality=CT&from=2024-01-01&sort=-PatientID&page=3"
    assert searched_of([("q", "doe"), ("page", "-1"), ("sort", "Rows"), ("by", "Rows")]).address() == "?q=doe"
    assert one.parameters("PatientID", "doe") == [
        ("PatientName", "x"), ("PatientID", "*doe*"), ("ModalitiesInStudy", "CT"), ("StudyDate", "20240101-"),
        ("fuzzymatching", "true"), ("sort", "-PatientID"), ("limit", "25"), ("offset", "50"),
    ]  # fmt: skip
    assert one.spellings("PatientID") == ("doe", "DOE", "Doe")
    assert one.spellings("PatientName") == ("doe",)
    assert (one.turned("PatientID"), one.turned("StudyDate")) == ("PatientID", "StudyDate")
    assert searched_of([("sort", "StudyDate")]).turned("StudyDate") == "-StudyDate"


def sample(at: int, **facts: Any) -> Sample:
    plain = {"stored_count": 0, "query_times": (0, 0, 0, 0), "intake_bytes": 0, "intake_count": 0}
    return Sample(at_us=at * int(EVERY_SECONDS * 1e6), **(plain | facts))


def test_tiles_say_what_happened_in_the_last_minute() -> None:
    samples = [sample(at, stored_count=10 * at, query_times=(at, 0, at, 0), free_bytes=5) for at in range(12)]
    now = sample(12, stored_count=120, query_times=(12, 0, 12, 0), intake_bytes=2000, intake_count=3, free_bytes=7)
    tiles = {one.label: one for one in tiles_of(samples, now, BOUNDS, True)}
    assert tiles["Stored a minute"].value == "60"
    assert (tiles["Queries a minute"].value, tiles["Queries a minute"].note) == ("12", "95 % ≤ 100 ms")
    assert (tiles["Intake backlog"].value, tiles["Intake backlog"].note) == ("2.0 kB", "3 instances")
    assert tiles["Disk free"].value == "7 B"
    assert {"Studies", "Instances"} <= tiles.keys()
    assert tiles_of([], now, BOUNDS, False)[0] == Tile(label="Stored a minute", value="–")
    slow = sample(13, query_times=(12, 0, 12, 9))
    assert tiles_of([now], slow, BOUNDS, False)[1].note == "over 0.1 s"


def test_history_is_told_and_bounded() -> None:
    async def check(served: Served) -> None:
        said: dict[str, Any] = {"samples": []}
        while not said["samples"]:  # the first look is on its way
            answer = await served.client.get(f"http://127.0.0.1:{served.port}/api/v1/history")
            said = answer.json()
        assert said["every_seconds"] == EVERY_SECONDS and len(said["samples"]) <= KEPT_COUNT_MAX
        assert said["samples"][0]["stored_count"] == 1 and said["samples"][0]["at"].endswith("Z")
        assert len(said["samples"][0]["query_times"]) == len(said["query_times_up_to_seconds"]) + 1
        assert "Doe" not in answer.text and "PID" not in answer.text

    serving(check, *files(instance(1)))
