"""Tokens: kept as digests, ended at once, expired by the clock; and the commands on a running node (H46)."""

import stat
from pathlib import Path

import httpx
import pytest

from engine import Corrupt, Invalid, Missing
from engine.clock import ManualClock
from filmroom.exposure import check, needs_tokens
from filmroom.settings import ServeSettings, Settings
from filmroom.tokens import TokenBook
from tests.filmroom.running import Node, run, start


def test_a_token_is_kept_as_a_digest_and_outlives_the_process(tmp_path: Path) -> None:
    file = tmp_path / "tokens.json"
    text = TokenBook(file).new("viewer", ["write", "read"])
    holder = TokenBook(file).holder_of(text)
    assert holder is not None and holder.name == "viewer" and holder.scopes == {"read", "write"}
    assert len(text) > 50 and text not in file.read_text() and text[9:] not in file.read_text()
    assert TokenBook(file).holder_of(text + "x") is None
    assert TokenBook(file).holder_of("") is None
    assert TokenBook(file).holder_of(TokenBook(file).all()[0].digest) is None


def test_tokens_end_by_command_and_by_the_clock(tmp_path: Path) -> None:
    clock = ManualClock()
    book = TokenBook(tmp_path / "tokens.json", clock)
    short, long = book.new("short", ["read"], days=1), book.new("long", ["read"])
    clock.advance(86_399)
    assert book.holder_of(short) is not None
    clock.advance(1)
    assert book.holder_of(short) is None and book.holder_of(long) is not None
    assert [book.is_expired(token) for token in book.all()] == [False, True]
    book.remove("long")
    assert book.holder_of(long) is None
    with pytest.raises(Missing):
        book.remove("long")


@pytest.mark.parametrize(
    ("name", "scopes", "days"),
    [
        ("", ["read"], 0),
        ("a b", ["read"], 0),
        ("a", [], 0),
        ("a", ["reed"], 0),
        ("a", ["read"], -1),
        ("twin", ["read"], 0),
    ],
)
def test_what_is_no_sound_token_is_refused(name: str, scopes: list[str], days: int) -> None:
    book = TokenBook(None)
    book.new("twin", ["read"])
    with pytest.raises(Invalid):
        book.new(name, scopes, days)
    assert len(book.all()) == 1


def test_a_damaged_file_is_said_not_forgotten(tmp_path: Path) -> None:
    (tmp_path / "tokens.json").write_bytes(b'[{"name": "a"')
    with pytest.raises(Corrupt, match=r"tokens\.json"):
        TokenBook(tmp_path / "tokens.json")


@pytest.mark.parametrize(
    ("serve", "needed", "starts"),
    [
        (ServeSettings(), False, True),
        (ServeSettings(host="localhost"), False, True),
        (ServeSettings(host="::1"), False, True),
        (ServeSettings(tokens="required"), True, True),
        (ServeSettings(host="0.0.0.0"), True, False),
        (ServeSettings(host="::"), True, False),
        (ServeSettings(host="0.0.0.0", tokens="off"), False, False),
        (ServeSettings(host="10.0.0.5", insecure=True), True, True),
        (ServeSettings(host="0.0.0.0", tokens="off", insecure=True), False, True),
    ],
)
def test_what_a_network_can_reach_is_locked(serve: ServeSettings, needed: bool, starts: bool) -> None:
    settings = Settings(serve=serve)
    assert needs_tokens(settings) is needed
    if starts:
        check(settings)
    else:
        with pytest.raises(Invalid, match="--insecure"):
            check(settings)


def test_proxies_are_addresses_or_networks() -> None:
    check(Settings(serve=ServeSettings(trusted_proxies=("10.0.0.9", "fd00::/8"))))
    with pytest.raises(Invalid, match=r"serve\.trusted_proxies: 'proxy\.example'"):
        check(Settings(serve=ServeSettings(trusted_proxies=("proxy.example",))))


def test_a_network_needs_insecure_to_be_served_in_the_clear(tmp_path: Path) -> None:
    refused = run("serve", tmp_path / "store", "--host", "0.0.0.0", "--http-port", "0", "--dimse-port", "0")
    assert refused.returncode == 2 and "--insecure" in refused.stderr and "Traceback" not in refused.stderr
    assert not (tmp_path / "store").exists()
    with start(tmp_path / "store", "--host", "0.0.0.0", "--insecure") as node:
        url = f"http://127.0.0.1:{node.http[1]}/dicomweb/studies"
        assert httpx.get(url, trust_env=False).status_code == 401


def test_the_commands_on_a_running_node(tmp_path: Path) -> None:
    config = tmp_path / "filmroom.toml"
    config.write_text('[serve]\ntokens = "required"\n')
    with start(tmp_path / "store", "--config", str(config)) as node:
        place = ("--store", node.store)
        assert any("filmroom token new" in line for line in node.lines)
        made = run("token", "new", "viewer", "--scope", "read,write", "--days", "3", *place)
        assert made.returncode == 0
        token = made.stdout.strip()
        assert status_of(node, token) == 200 and status_of(node, token[:-1]) == 401
        assert httpx.get(f"http://{':'.join(map(str, node.http))}/health/live", trust_env=False).status_code == 200
        listed = run("token", "ls", *place).stdout
        assert "viewer" in listed and "read,write" in listed and token not in listed
        assert run("token", "new", "viewer", *place).returncode == 2
        assert run("token", "new", "other", "--scope", "root", *place).returncode == 2
        assert run("token", "rm", "viewer", *place).returncode == 0
        assert status_of(node, token) == 401
        assert run("token", "rm", "viewer", *place).returncode == 1
        assert token not in node.log() and token[9:] not in node.log()
    assert stat.S_IMODE((tmp_path / "store" / "node" / "tokens.json").stat().st_mode) & 0o077 == 0


def status_of(node: Node, token: str) -> int:
    url = f"http://{node.http[0]}:{node.http[1]}/dicomweb/studies"
    return httpx.get(url, headers={"Authorization": f"Bearer {token}"}, trust_env=False).status_code
