"""Ready is said only while stores are taken."""

import trio

from protocols.web.app import make_app
from protocols.web.health import Health


def asked(health: Health) -> tuple[int, dict[str, bool]]:
    async def work() -> tuple[int, dict[str, bool]]:
        response = await make_app(health).test_client().get("/health/ready")
        return response.status_code, await response.get_json()

    return trio.run(work)


def test_a_node_that_cannot_store_is_not_ready_and_says_no_more_than_that() -> None:
    trouble = ""
    health = Health(archive_open=True, dicom_bound=True, trouble=lambda: trouble)
    assert asked(health) == (
        200,
        {"ready": True, "archive_open": True, "dicom_bound": True, "storing": True, "stopping": False},
    )
    trouble = "the disk of the intake does not answer"
    status, report = asked(health)
    assert (status, report["ready"], report["storing"], report["archive_open"]) == (503, False, False, True)
