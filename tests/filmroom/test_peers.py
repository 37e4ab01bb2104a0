"""The peer book: durable, and the configuration wins."""

from pathlib import Path

import pytest

from engine import Corrupt, Invalid, Missing
from engine.ports import Peer
from filmroom.peers import PeerBook

WS1 = Peer("WS1", "10.0.0.5", 104)


def test_added_peers_outlive_the_process(tmp_path: Path) -> None:
    file = tmp_path / "peers.json"
    PeerBook([], file).add(Peer(" WS1 ", "10.0.0.5", 104))
    again = PeerBook([], file)
    assert again.lookup("WS1  ") == WS1
    again.remove("WS1")
    assert PeerBook([], file).all() == []
    assert [path.name for path in tmp_path.iterdir()] == ["peers.json"]


def test_the_configuration_wins_and_is_not_changed_here(tmp_path: Path) -> None:
    file = tmp_path / "peers.json"
    PeerBook([], file).add(WS1)
    configured = Peer("WS1", "elsewhere", 11112)
    book = PeerBook([configured], file)
    assert book.lookup("WS1") == configured
    assert list(book.all()) == [configured]
    with pytest.raises(Invalid):
        book.add(WS1)
    with pytest.raises(Invalid):
        book.remove("WS1")


def test_titles_differ_by_case_and_unknown_is_missing(tmp_path: Path) -> None:
    book = PeerBook([], None)
    book.add(WS1)
    assert book.lookup("ws1") is None
    with pytest.raises(Missing):
        book.remove("ws1")


def test_a_damaged_file_is_said_not_forgotten(tmp_path: Path) -> None:
    file = tmp_path / "peers.json"
    file.write_bytes(b'[{"ae_title": "WS1"')
    with pytest.raises(Corrupt, match=r"peers\.json"):
        PeerBook([], file)
    assert file.read_bytes() == b'[{"ae_title": "WS1"'


def test_a_write_that_fails_changes_nothing(tmp_path: Path) -> None:
    book = PeerBook([], tmp_path / "gone" / "peers.json")
    with pytest.raises(OSError):
        book.add(WS1)
    assert book.lookup("WS1") is None
