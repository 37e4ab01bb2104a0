"""Any history of stores, views, settles and crashes answers like a dict and a slow matcher."""

import re
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.find import find
from engine.index import Index
from engine.model import Level
from tests.engine.index.test_index import At, query, record

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("store"), st.integers(0, 3), st.integers(1, 2), st.integers(1, 3)),
        st.tuples(st.sampled_from(("view", "settle", "crash")), st.just(0), st.just(0), st.just(0)),
    ),
    max_size=16,
)
ASKED = st.sampled_from(("P1", "P0\\P2", "P?", "*1", "*", "p1", "P*1*", "x"))


def naive(asked: str, value: str) -> bool:
    patterns = [re.escape(one).replace(r"\*", ".*").replace(r"\?", ".") for one in asked.split("\\")]
    return any(re.fullmatch(pattern, value) for pattern in patterns)


@settings(max_examples=12, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=STEPS, asked=ASKED, limit=st.integers(1, 3))
def test_histories(steps: list[tuple[str, int, int, int]], asked: str, limit: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "index"
        index = Index.open(path)
        journal = []
        for step, study, series, instance in steps:
            if step == "store":
                journal.append(record(study, series, instance, len(journal) + 1))
                index.fold(journal[-1:])
                index.note_position(At("w", (1, "n", len(journal))))
            elif step == "view":
                index.view()
            elif step == "settle":
                index.settle()
            else:
                index = Index.open(path)
                _, _, folded = index.cursor.get("w", (1, "n", 0))
                index.fold(journal[max(0, folded - 2) :])
                index.note_position(At("w", (1, "n", len(journal))))
        kept = {(one.study_uid, one.series_uid, one.sop_instance_uid) for one in journal}
        view = index.view()
        assert view.counts() == (len({k[0] for k in kept}), len({k[1] for k in kept}), len(kept))
        expected = {k for k in kept if naive(asked, f"P{int(k[0].rsplit('.', 1)[1]) % 3}")}
        key = ("00100020", asked)
        instances = find(view, query("instance", key)).matches
        assert {(m.study_uid, m.series_uid, m.sop_instance_uid) for m in instances} == expected
        assert len(instances) == len(expected)
        newest_first = sorted({k[0] for k in expected}, reverse=True)
        found, page = [], find(view, query("study", key, limit=limit))
        while True:
            assert page.total == len(newest_first) and len(page.matches) <= limit
            found += [match.study_uid for match in page.matches]
            if not page.next_page:
                break
            page = find(view, query("study", key, limit=limit, page=page.next_page))
        assert found == newest_first
        assert len(view.instances(query(Level.INSTANCE))) == len(kept)
