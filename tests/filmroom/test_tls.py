"""TLS on both ports, with real peers: DCMTK, OpenSSL, curl, pynetdicom (C20, H13, H46)."""

import signal
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from pydicom import dcmread
from pynetdicom import AE

from bench.process import free_port
from engine.clock import Clock
from filmroom.settings import Settings, TlsSettings
from filmroom.tls_checks import tls
from tests.certificates import Authority
from tests.filmroom.running import Node, run, start, wait_until

SECONDS_MAX = 60


class Dressed:
    """A node with a certificate, its authority, and what clients of DCMTK say."""

    def __init__(self, node: Node, authority: Authority, client: tuple[Path, Path]) -> None:
        self.node = node
        self.authority = authority
        self.tls = ("+tls", str(client[1]), str(client[0]), "+cf", str(authority.ca))
        self.token = run("token", "new", "test", "--scope", "admin", "--store", node.store).stdout.strip()

    def dcmtk(self, command: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
        said = [f"/usr/bin/{command}", *self.tls, "-aec", "FILMROOM", "localhost", str(self.node.dicom_tls_port)]
        return subprocess.run(
            [*said, *map(str, words)], capture_output=True, text=True, timeout=SECONDS_MAX, check=False
        )

    def get(self, path: str, **how: object) -> httpx.Response:
        verify = ssl.create_default_context(cafile=str(self.authority.ca))
        headers = {"Authorization": f"Bearer {self.token}"}
        url = f"https://localhost:{self.node.http[1]}{path}"
        with httpx.Client(verify=verify, trust_env=False, timeout=SECONDS_MAX) as client:
            return client.get(url, headers=headers | how.get("headers", {}))  # type: ignore[operator]


@contextmanager
def dressed(folder: Path, *lines: str, peers: str = "") -> Iterator[Dressed]:
    authority = Authority(folder)
    certificate, key = authority.issue("server")
    config = folder / "filmroom.toml"
    said = [f'certificate = "{certificate}"', f'key = "{key}"', *lines]
    config.write_text("[tls]\n" + "\n".join(said) + f"\n{peers}\n")
    with start(folder / "store", "--config", str(config), "--dimse-tls-port", "0") as node:
        yield Dressed(node, authority, authority.issue("client"))


def stored_bytes(folder: Path) -> list[bytes]:
    """What a storescp has written, each without its file meta information."""
    return sorted(bytes(dcmread(path).PixelData) for path in folder.iterdir())


def sent_bytes(folder: Path) -> list[bytes]:
    return sorted(bytes(dcmread(path).PixelData) for path in folder.glob("*.dcm"))


def test_c20_stored_found_and_moved_over_tls_with_dcmtk(tmp_path: Path, images: Path) -> None:
    destination = tmp_path / "received"
    destination.mkdir()
    port = free_port()
    peers = (
        f'[[peer]]\nae_title = "WS1"\nhost = "localhost"\nport = {port}\ntls = true\ntls_ca = "{tmp_path / "ca.pem"}"'
    )
    with dressed(tmp_path, peers=peers) as node:
        stored = node.dcmtk("storescu", "+sd", images)
        assert stored.returncode == 0, stored.stderr
        found = node.dcmtk("findscu", "-S", "-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID")
        assert found.returncode == 0 and found.stderr.count("Find Response") + found.stdout.count("Find Response") >= 2
        own = node.authority.issue("ws1")
        sink = ["/usr/bin/storescp", "+tls", str(own[1]), str(own[0]), "+cf", str(node.authority.ca), "-od"]
        with subprocess.Popen([*sink, str(destination), "-aet", "WS1", str(port)]) as receiver:
            try:
                wait_until(lambda: listens(port))
                keys = ("-S", "-k", "QueryRetrieveLevel=STUDY", "-k")
                uids = {str(dcmread(path).StudyInstanceUID) for path in images.glob("*.dcm")}
                for uid in uids:
                    words = (
                        "localhost",
                        str(node.node.dicom[1]),
                        *keys,
                        f"StudyInstanceUID={uid}",
                    )  # movescu has no TLS
                    moved = ["/usr/bin/movescu", "-aec", "FILMROOM", "-aem", "WS1", *words]
                    assert subprocess.run(moved, timeout=SECONDS_MAX, check=False).returncode == 0
            finally:
                receiver.kill()
        assert stored_bytes(destination) == sent_bytes(images)
        rows = node.get("/dicomweb/studies").json()
        assert len(rows) == len(uids)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_c20_pynetdicom_over_tls_and_c_get(tmp_path: Path, images: Path) -> None:
    from pynetdicom import build_role, evt
    from pynetdicom.sop_class import CTImageStorage, StudyRootQueryRetrieveInformationModelGet, Verification

    with dressed(tmp_path) as node:
        assert node.dcmtk("storescu", "+sd", images).returncode == 0
        context = ssl.create_default_context(cafile=str(node.authority.ca))
        entity, got = AE(), []
        entity.add_requested_context(Verification)
        entity.add_requested_context(StudyRootQueryRetrieveInformationModelGet)
        entity.add_requested_context(CTImageStorage)

        def keep(event: evt.Event) -> int:
            got.append(bytes(event.dataset.PixelData))
            return 0

        association = entity.associate(
            "localhost",
            node.node.dicom_tls_port,
            tls_args=(context, "localhost"),
            ext_neg=[build_role(CTImageStorage, scp_role=True)],
            evt_handlers=[(evt.EVT_C_STORE, keep)],
        )
        assert association.is_established
        assert association.send_c_echo().Status == 0
        from pydicom.dataset import Dataset

        asked = Dataset()
        asked.QueryRetrieveLevel = "STUDY"
        for uid in {str(dcmread(path).StudyInstanceUID) for path in images.glob("*.dcm")}:
            asked.StudyInstanceUID = uid
            list(association.send_c_get(asked, StudyRootQueryRetrieveInformationModelGet))
        association.release()
        assert sorted(got) == sent_bytes(images)


def test_c20_h13_plaintext_on_a_tls_port_ends_at_once(tmp_path: Path) -> None:
    with dressed(tmp_path) as node:
        for port, said in (
            (node.node.dicom_tls_port, b"\x01\x00\x00\x00\x00\xcd\x00\x01\x00\x00" + bytes(200)),
            (node.node.dicom_tls_port, b"GET / HTTP/1.1\r\n\r\n"),
            (node.node.http[1], b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        ):
            with socket.create_connection(("127.0.0.1", port), timeout=5) as plain:
                plain.sendall(said)
                with pytest.raises((ConnectionResetError, EOFError)):
                    while plain.recv(4096):
                        pass
                    raise EOFError
        echo = ["/usr/bin/echoscu", "-to", "5", "-ta", "5", "localhost", str(node.node.dicom_tls_port)]
        assert subprocess.run(echo, capture_output=True, timeout=SECONDS_MAX, check=False).returncode != 0
        wait_until(lambda: node.node.log().count("TLS refused: it speaks HTTP without TLS") == 2)
        assert "TLS refused: it does not speak TLS" in node.node.log()
        assert node.dcmtk("echoscu").returncode == 0
        plain_port = ["/usr/bin/echoscu", "localhost", str(node.node.dicom[1])]
        assert subprocess.run(plain_port, timeout=SECONDS_MAX, check=False).returncode == 0


@pytest.mark.parametrize(("version", "spoken"), [("-tls1_1", False), ("-tls1_2", True), ("-tls1_3", True)])
def test_c20_tls_12_and_13_only(tmp_path: Path, version: str, spoken: bool) -> None:
    with dressed(tmp_path) as node:
        for port in (node.node.dicom_tls_port, node.node.http[1]):
            said = ["openssl", "s_client", version, "-CAfile", str(node.authority.ca), "-connect", f"localhost:{port}"]
            if not spoken:
                said += ["-cipher", "DEFAULT@SECLEVEL=0"]
            done = subprocess.run(
                said, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS_MAX, check=False
            )
            assert ("Verify return code: 0 (ok)" in done.stdout and "Cipher is (NONE)" not in done.stdout) is spoken


def test_c20_client_certificates_are_wanted_and_refusals_are_said(tmp_path: Path) -> None:
    lines = (f'client_ca = "{tmp_path / "ca.pem"}"', "require_client_certificate = true")
    with dressed(tmp_path, *lines) as node:
        assert node.dcmtk("echoscu").returncode == 0
        (tmp_path / "other").mkdir()
        stranger = Authority(tmp_path / "other").issue("stranger")
        good = tmp_path / "client.crt", tmp_path / "client.key"
        for number, port in enumerate((node.node.dicom_tls_port, node.node.http[1]), 1):
            for shown, works in (((), False), (stranger, False), (good, True)):
                said = ["openssl", "s_client", "-CAfile", str(node.authority.ca), "-connect", f"localhost:{port}"]
                said += ["-cert", str(shown[0]), "-key", str(shown[1])] if shown else []
                done = subprocess.run(
                    [*said, "-tls1_2"],
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    text=True,
                    timeout=SECONDS_MAX,
                    check=False,
                )
                assert (done.returncode == 0) is works, done.stderr
            wait_until(lambda number=number: node.node.log().count("it shows no certificate") == number)  # type: ignore[misc]
            wait_until(lambda number=number: node.node.log().count("is not to be believed") == number)  # type: ignore[misc]


def test_a_renewed_certificate_is_shown_after_sighup_and_a_broken_one_is_not(tmp_path: Path) -> None:
    with dressed(tmp_path) as node:
        ports = (node.node.dicom_tls_port, node.node.http[1])
        first = [serial(port) for port in ports]
        assert first[0] == first[1]
        (tmp_path / "server.key").write_text("broken")
        node.node.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "certificate not renewed" in node.node.log())
        assert [serial(port) for port in ports] == first
        context = ssl.create_default_context(cafile=str(node.authority.ca))
        plain = socket.create_connection(("localhost", ports[1]))
        with context.wrap_socket(plain, server_hostname="localhost") as old:
            node.authority.issue("server")
            node.node.process.send_signal(signal.SIGHUP)
            wait_until(lambda: "certificate renewed" in node.node.log())
            old.sendall(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert old.recv(4096).startswith(b"HTTP/1.1 200")
        second = [serial(port) for port in ports]
        assert second[0] == second[1] != first[0]
        assert node.get("/dicomweb/studies").status_code == 200


def serial(port: int) -> bytes:
    return ssl.get_server_certificate(("localhost", port)).encode()


def test_c20_a_peer_that_is_added_is_called_over_tls(tmp_path: Path) -> None:
    """The node itself is that peer."""
    with dressed(tmp_path) as node:
        place = ("--store", node.node.store)
        address = f"localhost:{node.node.dicom_tls_port}"
        for words, code in (((), 1), (("--tls",), 1), (("--tls", "--tls-ca", node.authority.ca), 0)):
            assert run("aet", "add", "SELF", address, *words, *place).returncode == 0
            tested = run("aet", "test", "SELF", *place)
            assert tested.returncode == code, tested
        assert run("aet", "add", "SELF", address, "--tls-ca", tmp_path / "none.pem", *place).returncode == 2


def test_https_wants_a_token_and_curl_is_content(tmp_path: Path) -> None:
    with dressed(tmp_path) as node:
        url = f"https://localhost:{node.node.http[1]}/dicomweb/studies"
        said = ["curl", "-sS", "--cacert", str(node.authority.ca), "-o", "/dev/null", "-w", "%{http_code}", url]
        assert subprocess.run(said, capture_output=True, text=True, check=False).stdout == "401"
        said += ["-H", f"Authorization: Bearer {node.token}"]
        assert subprocess.run(said, capture_output=True, text=True, check=False).stdout == "200"
        base = node.get("/openapi.json").json()["servers"][0]["url"]
        assert base == f"https://localhost:{node.node.http[1]}"


def test_what_is_no_certificate_is_said_before_anything_is_made(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.issue("server")
    other = authority.issue("other")[1]
    for words, sentence in (
        (("--tls-cert", certificate, "--tls-key", other), "do not belong together"),
        (("--tls-cert", tmp_path / "none.pem"), "cannot read"),
        (("--tls-cert", key), "no PEM file"),
        (("--tls-key", key), "no certificate"),
    ):
        done = run("serve", tmp_path / "store", *words, "--http-port", "0", "--dimse-port", "0")
        assert done.returncode == 2 and sentence in done.stderr and "Traceback" not in done.stderr, done.stderr
    assert not (tmp_path / "store").exists()


def test_the_end_of_a_certificate_is_said_before_it_comes(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.issue("server")
    settings = Settings(tls=TlsSettings(certificate=str(certificate), key=str(key)))
    now_us = Clock().now_us()
    (good,) = tls(settings, now_us)
    assert good.state == "ok" and int(good.found.split()[-2]) > 1000
    (soon,) = tls(settings, now_us + int(good.found.split()[-2]) * 86_400_000_000)
    assert soon.state == "warn" and "good for 0 days" in soon.found
    authority.issue("server", expired=True)
    (over,) = tls(settings, now_us)
    assert over.state == "bad" and "expired" in over.found
    key.write_text("broken")
    assert [check.state for check in tls(settings, now_us)] == ["bad"]
    assert list(tls(Settings(), now_us)) == []


def test_sigterm_in_the_middle_of_a_transfer_over_tls_ends_in_order(tmp_path: Path, images: Path) -> None:
    with dressed(tmp_path) as node:
        said = ["/usr/bin/storescu", *node.tls, "-aec", "FILMROOM", "localhost", str(node.node.dicom_tls_port)]
        with subprocess.Popen(
            [*said, *[str(path) for path in images.glob("*.dcm")] * 400], stderr=subprocess.DEVNULL
        ) as sender:
            try:
                wait_until(lambda: len(node.get("/dicomweb/instances").json()) == len(sent_bytes(images)))
                assert node.node.stop() == 0
            finally:
                sender.kill()
    done = run("verify", "--store", tmp_path / "store")
    assert done.returncode == 0, done.stdout + done.stderr
