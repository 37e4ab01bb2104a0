"""Every suite beyond the paper's, tiny: figures when all is right; none when a byte was altered or an instance was lost
on its way into the server. One server of ours stands for all sides."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest

from bench import lean, loading
from bench.asking import IMPLICIT_LITTLE
from bench.bench import Bench
from bench.content import Wrong
from bench.data import File, Shape, files
from bench.http import Web
from bench.large import Large
from bench.loading import Start
from bench.peers import NOWHERE, Destinations, Server, own_sink
from bench.report import Report
from bench.results import Settings
from bench.stand import Sinks, Stand, sinking, standing
from bench.suites import growth, large, move, questions, receiving, recovery, resources, soak, store, stow, web
from bench.targets import starts
from bench.web_asking import web_of
from tests.bench.test_paper_suites import lie

pytestmark = pytest.mark.usefixtures("quick_rest")
REASON = {
    "altered": "[1-9] came altered|other bytes|[1-9] missing or altered",
    "lost": "[1-9] missing|[1-9] did not come|status 404",
}
SEEDS = count(5000)  # what one test has stored is new to no other


def tiny(*, studies: int = 1, seed: int = 1, stub: bool = False, **others: int) -> Shape:
    """Two instances of every study, whatever a suite asks for."""
    return Shape(studies=min(2, studies), series=1, instances=2, rows=32, seed=seed, stub=stub)


def new(*, studies: int = 1, stub: bool = False, **others: int) -> Shape:
    """The same, of a seed that nobody has stored."""
    return tiny(studies=studies, stub=stub, seed=next(SEEDS))


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    with standing(made_bench(tmp_path_factory.mktemp("alone")), starts(["filmroom"], [])) as stand:
        yield stand


def made_bench(folder: Path) -> Bench:
    settings = Settings(suites=[])
    return Bench(folder, 0.01, 1, Report(folder, lambda text: None, settings), settings)


def there_is(alone: Stand) -> Start:
    """Starts nothing: the server is there."""

    @contextmanager
    def there(folder: Path, destinations: Destinations = NOWHERE, **settings: object) -> Iterator[Server]:
        yield alone.servers[0]

    return there


@pytest.fixture
def bench(alone: Stand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """Every side of the suites that start their own is the one server, and all sinks are those that it knows."""

    there = there_is(alone)

    @contextmanager
    def sinks(folder: Path, **settings: object) -> Iterator[Sinks]:
        yield alone.sinks

    @contextmanager
    def storescp(folder: Path, count: int) -> Iterator[tuple[Destinations, list[Server]]]:
        yield alone.sinks.destinations, []

    for suite in (move, questions, store, stow, web):
        for name, value in (("filmroom", there), ("orthanc", there), ("dcmqrscp", there), ("sinking", sinks)):
            monkeypatch.setattr(suite, name, value, raising=False)
        monkeypatch.setattr(suite, "Shape", tiny)
    monkeypatch.setattr(move, "storescp_sinks", storescp)
    monkeypatch.setattr(move, "PROOF", alone.sinks.first)
    monkeypatch.setattr(loading, "WARM", tiny(seed=999))
    monkeypatch.setattr(stow, "WARM", tiny(seed=998))
    monkeypatch.setattr(store, "_storescu", lambda paths: {})
    monkeypatch.setattr(store, "CLIENTS", (1, 2))
    monkeypatch.setattr(questions, "FEW", 2)
    monkeypatch.setattr(questions, "MANY", 3)
    monkeypatch.setattr(questions, "RUNS", 2)
    return made_bench(tmp_path)


@pytest.fixture(params=["altered", "lost"])
def lying(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The last instance of what an association or a request brings does not reach the server as it was made."""
    send, post = lean.Association.store, stow.posted

    def sending(self: lean.Association, whole: Sequence[File]) -> None:
        if whole:
            send(self, [*whole[:-1], lie(whole[-1])] if request.param == "altered" else whole[:-1])

    def posting(web: Web, whole: Sequence[bytes]) -> bytes:
        last = whole[-1:] if len(whole) < 2 else [lied(whole[-1])] if request.param == "altered" else []
        return post(web, [*whole[:-1], *last])

    monkeypatch.setattr(lean.Association, "store", sending)
    monkeypatch.setattr(stow, "posted", posting)
    return REASON[request.param]


def lied(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


def cases(bench: Bench) -> set[str]:
    return {one.case for one in bench.report.results(True).measurements}


def test_stores_by_clients_of_both_protocols_are_measured(bench: Bench) -> None:
    store.run(bench)
    measured = " ".join(cases(bench))
    for case in ("burst, 1 lean sender:", "burst, 2 lean senders:", "sustained, 8 lean senders", "2 connections"):
        assert case in measured


@pytest.mark.parametrize("by", ["association", "request"])
def test_no_store_is_timed_when_it_is_not_kept(bench: Bench, alone: Stand, lying: str, by: str) -> None:
    sent = list(files(new()))
    send = store.lean_senders(sent, 1) if by == "association" else stow.senders(sent, 2, 1)
    with pytest.raises(Wrong, match=lying):
        loading.load_once(bench, alone.sinks, there_is(alone), send, sent)


def test_moves_and_questions_are_measured(bench: Bench) -> None:
    move.run(bench)
    questions.run(bench)
    assert any("8 workers" in case for case in cases(bench)) and any(
        "study by PatientID" in case for case in cases(bench)
    )


def test_no_move_is_timed_when_content_is_wrong(bench: Bench, lying: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(move, "Shape", new)
    with pytest.raises(Wrong, match=lying):
        move.run(bench)
    assert not cases(bench)


def test_no_question_is_timed_when_an_instance_is_lost(
    bench: Bench, lying: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if lying == REASON["altered"]:
        pytest.skip("an altered pixel is not asked for")
    monkeypatch.setattr(questions, "Shape", new)
    with pytest.raises(Wrong, match=lying):
        questions.run(bench)
    assert not cases(bench)


def test_an_intake_that_holds_other_bytes_is_no_figure(bench: Bench, tmp_path: Path, lying: str) -> None:
    sent = list(files(new()))
    with own_sink(tmp_path, segments=1) as server:
        lean.store(server.target, [sent])
        with pytest.raises(Wrong, match=lying):
            receiving.prove_logged(tmp_path, 1, sent)


def test_growth_is_no_figure_when_a_piece_is_wrong(
    alone: Stand, lying: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(growth, "PIECE_STUDIES", 1)
    shape = Shape(series=1, instances=2, stub=True, seed=next(SEEDS))
    bench = made_bench(tmp_path)
    with pytest.raises(Wrong, match=lying):
        growth.grow(bench, alone.servers[0], alone.sinks, shape, 0, 520)
    assert not cases(bench)


def test_an_acknowledged_instance_that_comes_back_altered_is_no_recovery(alone: Stand, tmp_path: Path) -> None:
    kept = list(files(Shape(series=1, instances=3, rows=32, seed=next(SEEDS))))
    bench = made_bench(tmp_path)
    lean.store(alone.servers[0].target, [[lie(kept[0]), *kept[1:]]])
    with pytest.raises(Wrong, match="1 came altered"):
        recovery.check(bench, alone.servers[0], alone.sinks, kept[:2], kept)
    with pytest.raises(Wrong, match="1 came altered"):  # nobody answered for it, and yet it is given out
        recovery.check(bench, alone.servers[0], alone.sinks, kept[1:2], kept)


def test_a_soak_ends_at_the_first_wrong_answer(alone: Stand, lying: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soak, "STUDY_SECONDS", 0.01)
    monkeypatch.setattr(soak, "SHAPE", Shape(series=1, instances=2, rows=32, seed=next(SEEDS)))
    with pytest.raises(RuntimeError, match=lying):
        soak.soaked(alone.servers[0], 20.0)


def test_an_import_that_gives_back_other_content_is_no_figure(tmp_path: Path) -> None:
    shape = new()
    bench = made_bench(tmp_path / "bench")
    path = bench.paths(shape)[0]
    path.write_bytes(lied(path.read_bytes()))
    resources.import_once(bench, tmp_path, path.parents[2], 2)
    with pytest.raises(Wrong, match="1 came altered"):
        resources.prove_imported(tmp_path, shape)


def test_frames_of_a_large_object_are_looked_at(alone: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    web, one = web_of(alone.servers[0]), Large(9, 3)
    large.store(web, one)
    assert len(large.checked_requests(web, one)[0]) == 3
    monkeypatch.setattr(Large, "frame", lambda self, number: lied(bytes(1 << 19)))
    with pytest.raises(Wrong, match="other bytes"):
        large.checked_requests(web, one)


def test_sinks_that_take_implicit_vr_alone_refuse_others(tmp_path: Path) -> None:
    with sinking(tmp_path, only=IMPLICIT_LITTLE) as sinks:
        target = lean.Target(sinks.destinations["WS1"], "WS1")
        with pytest.raises(RuntimeError, match="refused a presentation context"):
            lean.store(target, [list(files(new()))])


def test_no_frame_and_no_study_is_timed_when_content_is_wrong(
    bench: Bench, alone: Stand, lying: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "Shape", new)
    with pytest.raises(Wrong, match=lying):
        web.retrieving(bench, (alone.servers[0], alone.servers[0]))
    assert not cases(bench)
