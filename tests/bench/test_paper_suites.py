"""The suites of the paper, tiny, against our own server: whole results; none of a server that does not tell the truth;
nothing left of a run that is killed."""

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import pytest

from bench import lean, peers, results, stages, stand
from bench.__main__ import main
from bench.bench import Bench
from bench.data import File, Shape, study_files
from bench.moving import moved
from bench.peers import ROOT, Server
from bench.reaching import Unreached, reach
from bench.report import Report
from bench.results import NotWhole, Settings
from bench.stages import PAPER
from bench.stand import Stand, standing
from bench.suites import find_instances, flat_query, parallel_move, random_access, replay
from bench.targets import starts, usual
from bench.traffic import KINDS, Series
from tests.bench.results_made import made

pytestmark = pytest.mark.usefixtures("quick_rest")
TINY = ["--scale", "replay=0.00002", "--scale", "parallel-move=0.0001", "--scale", "study-sizes=0.0001"]
SECONDS = 30


def test_every_suite_of_the_paper_is_measured(tmp_path: Path) -> None:
    words = [*PAPER, *TINY, "--servers", "filmroom", "--replay-seconds", "1", "--pause-seconds", "0.1"]
    places = ["--folder", str(tmp_path / "data"), "--output", str(tmp_path / "out")]
    assert main(["run", *words, *places]) == 0
    found = results.read(tmp_path / "out" / "results.json")
    assert {one.suite for one in found.measurements} == set(PAPER) and not found.refusals
    cases = {one.case for one in found.measurements}
    assert {"seven days", "day 7", "day 7, C-FIND", "second pass", "1 worker", "16 workers", "the next ten"} <= cases
    assert {"4 threads, 2 MB", "16 threads, 2 MB of 256 kB"} <= cases
    late = next(one for one in found.measurements if one.quantity == "responses later than 2 s")
    assert late.samples == [0.0]
    assert (tmp_path / "out" / "report.html").exists() and not (tmp_path / "data" / "run").exists()
    settings = found.settings
    assert (settings.suites, settings.scale_of("replay"), settings.seed) == (list(PAPER), 0.00002, 1)


@pytest.fixture(scope="module")
def lying(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Bench, Stand]]:
    """A stand whose one server holds an altered instance in every study, and lacks the last series of all."""
    folder = tmp_path_factory.mktemp("lying")
    bench = Bench(folder, 1.0, 1, Report(folder, lambda text: None, Settings(suites=[])), Settings(suites=[]))
    generated = [file for study in range(16) for file in study_files(Shape(series=2, instances=2, rows=32), study)]
    with standing(bench, starts(["filmroom"], [])) as one:
        one.truth.add(generated)
        kept = [lie(file) if file.sop_instance_uid.endswith("1.1") else file for file in generated[:-2]]
        lean.store(one.servers[0].target, [kept])
        yield bench, one


def lie(file: File) -> File:
    return msgspec.structs.replace(file, data=file.data[:-1] + bytes([file.data[-1] ^ 1]))


def refusals(bench: Bench) -> list[str]:
    """Those that came since the last look."""
    seen = [one.reason for one in bench.report.refusals()]
    bench.report._refusals.clear()
    return seen


def test_no_move_is_timed_when_content_was_altered(lying: tuple[Bench, Stand]) -> None:
    bench, one = lying
    with pytest.raises(RuntimeError, match="of 12 instances 0 did not come, 3 came altered"):
        moved(one, one.servers[0], one.truth.studies[:3], 2, "lean")
    parallel_move.run(bench, one)
    assert len(refusals(bench)) == 1
    assert not [taken for taken in bench.report.results(True).measurements if taken.quantity == "time of a worker"]


def test_no_search_is_timed_when_rows_are_missing(lying: tuple[Bench, Stand]) -> None:
    bench, one = lying
    find_instances.run(bench, one)  # asks for the last series first
    assert refusals(bench) == ["no figure: 0 found instead of 2; 2 missing, 0 others"]
    flat_query.run(bench, one, [planned(one, "20200101", "1.2.3")])
    assert all("1 missing" in reason for reason in refusals(bench))


def test_the_seven_days_have_no_figure_when_content_was_altered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It comes out last, when all is read back, and then nothing of the replay is printed."""

    def altering(target: lean.Target, files: Sequence[File]) -> list[float]:
        return burst(target, [*files[:-1], lie(files[-1])])

    burst = replay.burst
    monkeypatch.setattr(replay, "burst", altering)
    places = ["--folder", str(tmp_path / "data"), "--output", str(tmp_path / "out")]
    words = ["run", "replay", "flat-query", *TINY, "--servers", "filmroom", "--replay-seconds", "0.1", *places]
    assert main(words) == 1
    found = results.read(tmp_path / "out" / "results.json")
    assert {one.suite for one in found.measurements} == {"flat-query"}
    (refusal,) = [one for one in found.refusals if one.suite == "replay"]
    assert " did not come, " in refusal.reason and "0 came altered" not in refusal.reason
    assert "the latest response" not in capsys.readouterr().out


def test_a_target_that_loads_for_too_long_is_left_out(lying: tuple[Bench, Stand]) -> None:
    bench, one = lying
    slow = Stand(bench.report, one.servers, one.sinks, load_seconds_max=0.0)
    slow.load([list(study_files(Shape(series=1, instances=1, rows=32, seed=78), 0))])
    (reason,) = refusals(bench)
    assert not slow.servers and "s for 1 instances and more are to come (--load-seconds 0)" in reason


def planned(one: Stand, day: str, uid: str) -> Series:
    moment = 8 * 3600.0  # on the first day
    return Series(
        at_seconds=moment,
        device=0,
        kind=KINDS[0],
        study_uid=uid,
        series_uid=uid,
        study=0,
        number=1,
        instances=2,
        rows=32,
    )


def test_no_retrieval_is_timed_when_content_was_altered(lying: tuple[Bench, Stand]) -> None:
    _, one = lying
    server: Server = one.servers[0]
    uids = [uid for uid in one.truth.places if uid.endswith("1.1")][:3]
    with pytest.raises(RuntimeError, match="3 came altered"):
        random_access.passed(server, uids, one.truth)
    good = [uid for uid in one.truth.places if uid.endswith("1.2")][:3]
    assert len(random_access.passed(server, good, one.truth)["retrieval", "ms"]) == 3


def test_a_stand_leaves_out_who_does_not_keep_what_it_is_sent(lying: tuple[Bench, Stand]) -> None:
    bench, one = lying
    alone = Stand(bench.report, one.servers, one.sinks)
    nobody = msgspec.structs.replace(one.servers[0], name="nobody", target=lean.Target(1, "NOBODY"))
    alone.servers = [*one.servers, nobody]
    alone.load([list(study_files(Shape(series=1, instances=1, rows=32, seed=77), 0))])
    assert [server.name for server in alone.servers] == ["filmroom"] and len(refusals(bench)) == 1


def test_what_does_not_fit_on_the_disk_is_not_begun(lying: tuple[Bench, Stand]) -> None:
    with pytest.raises(RuntimeError, match="do not fit"):
        stages.check_room(lying[0], 1 << 60, starts(["filmroom"], []))


def test_a_server_that_runs_already_is_measured_by_its_address(tmp_path: Path) -> None:
    first = consecutive_ports(stand.SINKS)
    destinations = {f"WS{number + 1}": first + number for number in range(stand.SINKS)}
    with peers.filmroom(tmp_path / "there", destinations) as server:
        assert server.web is not None
        dimse = f"FILMROOM@127.0.0.1:{server.target.port}"
        words = ["run", "random-access", "parallel-move", *TINY, "--servers", "", "--sink-port", str(first)]
        words += ["--against", server.web.url, "--dimse", dimse, "--pause-seconds", "0.1"]
        assert main([*words, "--folder", str(tmp_path / "data"), "--output", str(tmp_path / "out")]) == 0
        assert server.process.popen.poll() is None
        with pytest.raises(Unreached, match=r"mine cannot .*/nowhere: .* status 404"):
            reach([f"mine={dimse},http://127.0.0.1:{server.web.port}/nowhere"])
    found = results.read(tmp_path / "out" / "results.json")
    assert found.targets() == ["target"] and not found.refusals
    assert not [one for one in found.measurements if one.quantity == "server CPU"]  # it cannot be seen


def test_a_target_that_does_not_answer_is_named_before_anything_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    places = ["--folder", str(tmp_path / "data"), "--output", str(tmp_path / "out")]
    with socket.socket() as nobody:  # holds a port, and does not listen at it
        nobody.bind(("127.0.0.1", 0))
        door = f"AET@127.0.0.1:{nobody.getsockname()[1]}"
        assert main(["quick", "--target", f"mine={door}", *places]) == 3
    assert f"mine cannot be measured: {door}: " in capsys.readouterr().err and not list(tmp_path.iterdir())


def consecutive_ports(count: int) -> int:
    """The first of so many that are free now, below those that the kernel gives to clients."""
    for first in range(20_000 + os.getpid() % 500 * count, 32_000, count):
        with contextlib.ExitStack() as held, contextlib.suppress(OSError):
            for port in range(first, first + count):
                held.enter_context(socket.create_server(("127.0.0.1", port)))
            return first
    pytest.skip("no ports are free")


def test_a_run_is_made_again_from_its_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel_move, "WORKERS", (3,))  # studies, each of five series
    places = ["--folder", str(tmp_path / "data"), "--output", str(tmp_path / "out")]
    assert main(["run", "find-instances", *TINY, "--seed", "7", "--servers", "filmroom", *places]) == 0
    first = results.read(tmp_path / "out" / "results.json")
    assert main(["again", str(tmp_path / "out" / "results.json"), *places]) == 0
    second = results.read(tmp_path / "out" / "results.json")
    assert second.settings == first.settings and second.begun >= first.begun
    assert [one.row for one in second.measurements] == [one.row for one in first.measurements]


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_run_that_is_killed_leaves_no_process_and_no_whole_results(tmp_path: Path, ending: signal.Signals) -> None:
    """In the midst of the seven days: the next series are minutes away. All servers that are installed run; where it
    writes to, an earlier run's results and report stand."""
    servers = ",".join(usual())
    words = ["run", "replay", "--servers", servers, "--replay-seconds", "600", "--scale", "0.00002"]
    results.write(made(), tmp_path / "out" / "results.json")
    for name in ("report.html", "samples.csv", "replay.png"):
        (tmp_path / "out" / name).write_text("of another run")
    places = ["--folder", str(tmp_path / "data"), "--output", str(tmp_path / "out")]
    command = [sys.executable, "-u", "-m", "bench", *words, *places]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, preexec_fn=_hear_interrupts
    ) as running:
        assert running.stdout is not None
        for line in running.stdout:
            if "the seven days begin" in line:
                break
        children = descendants(running.pid)
        assert len(children) >= 1 + len(usual())  # the sinks and the servers
        watched = [os.pidfd_open(child) for child in children]
        running.send_signal(ending)
        try:
            running.wait(SECONDS)
        finally:
            running.kill()
    for descriptor in watched:
        assert select.select([descriptor], [], [], SECONDS)[0], "a process of the run goes on"
        os.close(descriptor)
    left = {one.name for one in (tmp_path / "out").iterdir()}
    assert "results.previous.json" in left <= {"results.previous.json", "results.partial.json"}
    partial = tmp_path / "out" / "results.partial.json"
    if partial.exists():
        with pytest.raises(NotWhole):
            results.read(partial)


def _hear_interrupts() -> None:
    """A shell lets what it starts behind itself ignore SIGINT, and children inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def descendants(pid: int) -> list[int]:
    found = [pid]
    for one in found:
        for task in Path(f"/proc/{one}/task").iterdir():
            found += [int(child) for child in (task / "children").read_text().split()]
    return found[1:]


def test_sinks_have_an_ae_title_each() -> None:
    assert max(parallel_move.WORKERS) == stand.SINKS
