"""The proxy that lengthens a way outlives its clients."""

import socket
import struct
import threading

from bench.distance import Distance

RESET = struct.pack("ii", 1, 0)  # of SO_LINGER: what is closed is reset


def test_a_client_that_resets_its_connection_ends_no_other() -> None:
    with socket.create_server(("127.0.0.1", 0)) as service:
        first = threading.Thread(target=send_until_it_ends, args=(service,))
        first.start()
        with Distance(f"http://127.0.0.1:{service.getsockname()[1]}") as distance:
            host, _, port = distance.endpoint.removeprefix("http://").partition(":")
            with socket.create_connection((host, int(port)), 10) as client:
                client.recv(1)
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            first.join()
            with socket.create_connection((host, int(port)), 10) as client, service.accept()[0] as other:
                other.sendall(b"there")
                assert client.recv(5) == b"there"


def send_until_it_ends(service: socket.socket) -> None:
    with service.accept()[0] as taken:
        try:
            while True:
                taken.sendall(bytes(1 << 20))
        except OSError:
            return
