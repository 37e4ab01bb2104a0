"""/metrics: what operators watch, by Prometheus' own parser; nothing of a patient in it."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bench.data import Shape, files
from tests.protocols.web.serving import Served, serving

SENT = list(files(Shape(studies=1, series=1, instances=3, rows=16)))


def sample(text: str, name: str, **labels: str) -> float:
    for family in text_string_to_metric_families(text):
        for one in family.samples:
            if one.name == name and labels.items() <= one.labels.items():
                return one.value
    pytest.fail(f"{name} {labels} is not there")


def test_counts_follow_what_was_done() -> None:
    async def check(served: Served) -> None:
        assert (await served.client.get("/studies", params={"PatientName": "*"})).status_code == 200
        answer = await served.client.get("/../metrics")
        assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/plain")
        text = answer.text
        assert sample(text, "filmroom_stored_instances_total") == len(SENT)
        assert sample(text, "filmroom_acknowledgement_seconds_count") == len(SENT)
        assert sample(text, "filmroom_query_seconds_count") == 1
        assert sample(text, "filmroom_acknowledgement_seconds_bucket", le="+Inf") == len(SENT)
        route = {"method": "GET", "route": "/dicomweb/studies", "status": "200"}
        assert sample(text, "filmroom_http_answers_total", **route) == 1
        assert "^" not in text  # no person's name

    serving(check, *(one.data for one in SENT))


def test_a_path_that_clients_invent_makes_no_new_series() -> None:
    async def check(served: Served) -> None:
        for number in range(3):
            await served.client.get(f"/nothing/{number}")
        text = (await served.client.get("/../metrics")).text
        assert sample(text, "filmroom_http_answers_total", status="404") == 3

    serving(check)
