"""Results made by hand, for the tests of what reads them."""

from bench.machine import Machine
from bench.results import FORM, Measurement, Results, Settings

MACHINE = Machine(
    processor="a processor",
    processor_count=2,
    memory_bytes=1 << 34,
    kernel="6",
    python="3.11",
    file_system="ext4",
    load=(0.1, 0.2, 0.3),
    peers={},
)


def measured(
    target: str, samples: list[float], case: str = "1 worker", quantity: str = "time of a worker", unit: str = "s"
) -> Measurement:
    """Each sample a round."""
    return Measurement(
        suite="parallel-move",
        case=case,
        target=target,
        quantity=quantity,
        unit=unit,
        rounds=[[sample] for sample in samples],
    )


def made(*measurements: Measurement, complete: bool = True, settings: Settings | None = None) -> Results:
    """A run that measured these."""
    return Results(
        form=FORM,
        complete=complete,
        version="0",
        begun="2026-01-01T00:00:00+00:00",
        ended="2026-01-01T00:01:00+00:00",
        settings=settings or Settings(suites=["parallel-move"], servers=["filmroom", "orthanc"]),
        machine_before=MACHINE,
        machine_after=MACHINE,
        servers={"filmroom": "as shipped"},
        measurements=list(measurements),
        refusals=[],
        lines=[],
        notes={},
    )
