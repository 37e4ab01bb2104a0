"""``aet test``: our C-ECHO to the peer, and what became of the peer's last call to us."""

import json
from pathlib import Path

import pytest

from protocols.dimse.callers import CALLERS_COUNT_MAX, Call, Callers
from tests.filmroom.capture import Capture
from tests.filmroom.running import run, start
from tests.filmroom.wire import Gone, Wire


def test_the_other_way_is_the_last_call_of_the_peer(tmp_path: Path) -> None:
    config = tmp_path / "filmroom.toml"
    config.write_text("[serve]\ncheck_called_ae_title = true\n")
    with (
        Capture(ae_title="WS1") as peer,
        start(tmp_path / "store", "--config", str(config), "--peer", f"WS1=127.0.0.1:{peer.port}") as node,
    ):
        at = ("--store", node.store)
        first = run("aet", "test", "WS1", *at)
        assert first.returncode == 0, first.stderr
        assert "WS1 at 127.0.0.1" in first.stdout and "it has not called this node yet" in first.stdout
        assert "echoscu -aet WS1 -aec FILMROOM" in first.stderr
        Wire(node.dicom, calling="WS1").release()
        second = run("aet", "test", "WS1", *at)
        assert "s ago from 127.0.0.1, was served" in second.stdout
        with pytest.raises(Gone):
            Wire(node.dicom, calling="WS1", called="WRONG")
        third = json.loads(run("aet", "test", "WS1", "--json", *at).stdout)
        assert third["answered"] and third["called_from"] == "127.0.0.1"
        assert "called WRONG, but this is FILMROOM" in third["call_refused"]
        assert node.stop() == 0


def test_callers_are_bounded_and_the_last_to_call_stay() -> None:
    callers = Callers()
    for number in range(CALLERS_COUNT_MAX + 10):
        callers.note(f"AET{number}", Call(float(number), "10.0.0.1"))
        callers.note("AET0", Call(float(number), "10.0.0.2"))
    assert callers.last("AET1") is None and callers.last(" AET0 ") is not None
    assert callers.last(f"AET{CALLERS_COUNT_MAX + 9}") == Call(CALLERS_COUNT_MAX + 9.0, "10.0.0.1")
