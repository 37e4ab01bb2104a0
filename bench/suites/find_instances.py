"""The paper's 4.2: all instance identifiers of a series that was neither asked for nor named before, ten times."""

from bench.asking import (
    IMPLICIT_LITTLE,
    SOP_INSTANCE_UID,
    STUDY_ROOT_FIND,
    check_values,
    found_values,
    instances_of_series,
)
from bench.bench import Bench
from bench.lean import Association
from bench.peers import Server
from bench.stand import Stand
from bench.taking import Samples, take

REPEATS = 10


def run(bench: Bench, stand: Stand) -> None:
    """Another series each time. Where a stand is shared with ``parallel-move``, this comes before it."""
    series = stand.truth.series[::-1][: REPEATS + 1]
    instances = len(stand.truth.of_series(*series[0]))
    bench.report.note(f"C-FIND of {instances} instances over an association that is open, {REPEATS} series")

    def ask(server: Server, number: int) -> Samples:
        return asked(stand, server, series[number])

    servers = take(bench.report, stand.servers, "the first", 1, ask)
    take(bench.report, servers, "the next ten", REPEATS, lambda server, number: ask(server, number + 1))


def asked(stand: Stand, server: Server, series: tuple[str, str]) -> Samples:
    """One query; the identifiers must be those that were stored."""
    with Association(server.target, STUDY_ROOT_FIND, IMPLICIT_LITTLE) as association:
        passed, found = found_values(association, instances_of_series(*series), SOP_INSTANCE_UID)
    check_values(found, stand.truth.of_series(*series))
    return {("answer", "ms"): [passed]}
