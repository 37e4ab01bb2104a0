"""AE titles that are said by others than those that they belong to, on a running node (H15)."""

import json
import re
import shlex
import ssl
from pathlib import Path

import pytest
from pynetdicom import AE, evt
from pynetdicom.pdu import A_ASSOCIATE_RJ
from pynetdicom.sop_class import Verification

from tests.certificates import Authority
from tests.filmroom.running import run, start

PEERS = """
[serve]
calling = "known"
[[peer]]
ae_title = "HERE"
host = "127.0.0.1"
[[peer]]
ae_title = "NAMED"
host = "localhost"
[[peer]]
ae_title = "THERE"
host = "127.0.0.2"
[[peer]]
ae_title = "SEALED"
host = "10.99.0.1"
tls_name = "ws4.example"
[[peer]]
ae_title = "NOWHERE"
host = "no.such.host.invalid"
"""


def verdict(title: str, port: int, source: str, **how: object) -> tuple[int, ...]:
    """What a real peer hears: empty when it is served, else result, source and reason of the rejection."""
    heard: list[A_ASSOCIATE_RJ] = []

    def hear(event: evt.Event) -> None:
        if isinstance(event.pdu, A_ASSOCIATE_RJ):
            heard.append(event.pdu)

    entity = AE(ae_title=title)
    entity.add_requested_context(Verification)
    how |= {"bind_address": (source, 0), "evt_handlers": [(evt.EVT_PDU_RECV, hear)]}
    association = entity.associate("127.0.0.1", port, **how)  # type: ignore[arg-type]
    if association.is_established:
        assert association.send_c_echo().Status == 0
        association.release()
        return ()
    (said,) = heard  # it calls itself aborted, not rejected, when the end of the connection overtakes this
    return (said.result, said.source, said.reason_diagnostic)


@pytest.mark.parametrize(
    ("title", "source", "served"),
    [
        ("HERE", "127.0.0.1", True),
        ("HERE", "127.0.0.2", False),
        ("NAMED", "127.0.0.1", True),
        ("NAMED", "127.0.0.3", False),
        ("THERE", "127.0.0.2", True),
        ("THERE", "127.0.0.1", False),
        ("NOWHERE", "127.0.0.1", False),
        ("STRANGER", "127.0.0.1", False),
    ],
)
def test_H15_a_title_is_served_from_where_it_is_known(tmp_path: Path, title: str, source: str, served: bool) -> None:
    config = tmp_path / "filmroom.toml"
    config.write_text(PEERS)
    with start(tmp_path / "store", "--config", str(config)) as node:
        assert verdict(title, node.dicom[1], source) == (() if served else (1, 1, 3))
        if not served:
            assert "association rejected" in node.log() and source in node.log()


def test_H15_the_certificate_decides_and_not_the_title(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.issue("server")
    config = tmp_path / "filmroom.toml"
    config.write_text(f'[tls]\ncertificate = "{certificate}"\nkey = "{key}"\nclient_ca = "{authority.ca}"\n{PEERS}')
    shown = {name: authority.issue(name, *names) for name, names in CERTIFICATES.items()}
    with start(tmp_path / "store", "--config", str(config), "--dimse-tls-port", "0") as node:

        def call(title: str, name: str, source: str = "127.0.0.1") -> tuple[int, ...]:
            context = ssl.create_default_context(cafile=str(authority.ca))
            if name:
                context.load_cert_chain(*map(str, shown[name]))
            return verdict(title, node.dicom_tls_port, source, tls_args=(context, "localhost"))

        assert call("SEALED", "ws4") == call("SEALED", "ws4", "127.0.0.2") == ()
        assert call("SEALED", "ws5") == call("SEALED", "") == (1, 1, 3)
        assert call("HERE", "ws4") == (1, 1, 3), "its own certificate does not make it another"
        assert call("HERE", "here", "127.0.0.9") == ()
        assert call("HERE", "") == () and call("HERE", "", "127.0.0.9") == (1, 1, 3)
        assert "which the certificate of this caller" in node.log()


def test_H15_what_a_refusal_names_makes_the_caller_known(tmp_path: Path) -> None:
    """By its certificate, which names none of the addresses that it was added with; nothing else of it changes."""
    authority = Authority(tmp_path)
    certificate, key = authority.issue("server")
    config = tmp_path / "filmroom.toml"
    sealed = f'[tls]\ncertificate = "{certificate}"\nkey = "{key}"\nclient_ca = "{authority.ca}"\n'
    config.write_text(sealed + '[serve]\ncalling = "known"\n')
    context = ssl.create_default_context(cafile=str(authority.ca))
    context.load_cert_chain(*map(str, authority.issue("ws6", "ws6.example", "10.99.0.8")))
    store = tmp_path / "store"
    flags = ("--config", str(config), "--dimse-tls-port", "0")
    with start(store, *flags) as node:
        at = ("--store", store)
        assert run("aet", "add", "WS6", "10.99.0.6:11112", "--character-set", "ISO_IR 192", *at).returncode == 0
        before = json.loads(run("aet", "ls", "--json", *at).stdout)
        ways = {"tls_args": (context, "localhost")}
        assert verdict("WS6", node.dicom_tls_port, "127.0.0.1", **ways) == (1, 1, 3)
        named = re.search(r"if it is the same: filmroom (aet add .*?);", node.log())
        assert named is not None, node.log()
        done = run(*shlex.split(named[1]))
        assert done.returncode == 0, done.stderr
        assert verdict("WS6", node.dicom_tls_port, "127.0.0.1", **ways) == ()
        assert json.loads(run("aet", "ls", "--json", *at).stdout) == [before[0] | {"tls_name": "ws6.example"}]
        assert verdict("WS6", node.dicom[1], "127.0.0.1") == (1, 1, 3)
        assert 'serve.calling = \\"title\\"' in node.log() or 'serve.calling = "title"' in node.log()


CERTIFICATES = {"ws4": ("ws4.example",), "ws5": ("ws5.example", "10.99.0.2"), "here": ("127.0.0.1",)}
