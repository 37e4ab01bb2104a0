"""Where we are, as clients see it: one table (B06)."""

import pytest

from protocols.web.links import base_url, dicomweb_url, instance_url
from protocols.web.settings import WebSettings
from tests.protocols.web.requests import request

PLAIN = WebSettings()
BEHIND = WebSettings(trusted_proxies=("10.0.0.9",))
NETWORK = WebSettings(trusted_proxies=("10.77.0.0/16", "fd00::/8"))
HERE = ("127.0.0.1", 8080)
PROXY = "10.0.0.9"
TABLE = [
    # settings, peer, headers, scheme, server -> base URL
    (PLAIN, "", {"host": "pacs.example:8080"}, "http", HERE, "http://pacs.example:8080"),
    (PLAIN, "", {"host": "127.0.0.1"}, "http", HERE, "http://127.0.0.1:8080"),  # dicomweb-client leaves the port out
    (PLAIN, "", {"host": "localhost"}, "https", ("::1", 443), "https://localhost"),
    (PLAIN, "", {"host": "[::1]"}, "http", ("::1", 8080), "http://[::1]:8080"),
    (PLAIN, "", {"host": "[::1]:9000"}, "http", ("::1", 8080), "http://[::1]:9000"),
    (PLAIN, "", {}, "http", HERE, "http://127.0.0.1:8080"),
    (PLAIN, "", {"host": 'evil"/><script>'}, "http", ("::1", 8080), "http://[::1]:8080"),
    (PLAIN, PROXY, {"host": "a:1", "x-forwarded-host": "b"}, "http", HERE, "http://a:1"),  # not trusted
    (BEHIND, "10.0.0.8", {"host": "a:1", "forwarded": "host=b"}, "http", HERE, "http://a:1"),
    (BEHIND, "::ffff:10.0.0.9", {"x-forwarded-host": "b"}, "http", HERE, "http://b"),
    (NETWORK, "10.77.0.1", {"x-forwarded-host": "b"}, "http", HERE, "http://b"),
    (NETWORK, "fd00::9", {"forwarded": "host=b"}, "http", HERE, "http://b"),
    (NETWORK, "10.78.0.1", {"host": "a:1", "x-forwarded-host": "b"}, "http", HERE, "http://a:1"),
    (NETWORK, "", {"host": "a:1", "x-forwarded-host": "b"}, "http", HERE, "http://a:1"),
    (BEHIND, PROXY, {"host": "a:1", "x-forwarded-host": "b", "x-forwarded-proto": "https"}, "http", HERE, "https://b"),
    (BEHIND, PROXY, {"x-forwarded-host": "b", "x-forwarded-port": "8443", "x-forwarded-proto": "https"}, "http", HERE,
     "https://b:8443"),
    (BEHIND, PROXY, {"x-forwarded-host": "b:1", "x-forwarded-prefix": "/pacs/"}, "http", HERE, "http://b:1/pacs"),
    (BEHIND, PROXY, {"x-forwarded-host": "b:1", "x-forwarded-prefix": "/a?b"}, "http", HERE, "http://b:1"),
    (BEHIND, PROXY, {"x-forwarded-host": "evil, b"}, "http", HERE, "http://b"),  # what the nearest proxy says
    (BEHIND, PROXY, {"forwarded": 'for=1.2.3.4;proto=https;host="b:8443"'}, "http", HERE, "https://b:8443"),
    (BEHIND, PROXY, {"forwarded": "host=evil, host=b;proto=HTTPS"}, "http", HERE, "https://b"),
    (BEHIND, PROXY, {"host": "a:1", "forwarded": "host=b;proto=javascript"}, "http", HERE, "http://a:1"),
    (BEHIND, PROXY, {"host": "a:1", "forwarded": "for=1.2.3.4"}, "http", HERE, "http://a:1"),
    (BEHIND, PROXY, {"host": "127.0.0.1", "forwarded": "for=1.2.3.4"}, "http", HERE, "http://127.0.0.1:8080"),
    # a proxy that passes Host on (nginx: proxy_set_header Host $host) says the scheme alone
    (BEHIND, PROXY, {"host": "b", "x-forwarded-proto": "https", "x-forwarded-for": "1.2.3.4"}, "http", HERE, "https://b"),
    (BEHIND, PROXY, {"host": "b:8443", "x-forwarded-proto": "https"}, "http", HERE, "https://b:8443"),
    (BEHIND, PROXY, {"host": "b", "x-forwarded-proto": "https", "x-forwarded-port": "443"}, "http", HERE, "https://b"),
    (BEHIND, PROXY, {"host": "b", "x-forwarded-prefix": "/pacs"}, "http", HERE, "http://b/pacs"),
    (BEHIND, PROXY, {"host": "b", "forwarded": "for=1.2.3.4;proto=https"}, "http", HERE, "https://b"),
    (PLAIN, PROXY, {"host": "b", "x-forwarded-proto": "https"}, "http", HERE, "http://b:8080"),  # not trusted
    (WebSettings(public_url="https://x.org/pacs/"), PROXY, {"host": "a"}, "http", HERE, "https://x.org/pacs"),
]  # fmt: skip


@pytest.mark.parametrize(("settings", "peer", "headers", "scheme", "server", "expected"), TABLE)
def test_where_we_are(
    settings: WebSettings,
    peer: str,
    headers: dict[str, str],
    scheme: str,
    server: tuple[str, int],
    expected: str,
) -> None:
    asked = request(peer=peer, headers=headers, scheme=scheme, server=server)
    assert base_url(asked, settings) == expected


def test_links_are_below_the_root() -> None:
    root = dicomweb_url(request(headers={"host": "a:1"}), PLAIN)
    assert instance_url(root, "1.2", "3.4", "5.6") == "http://a:1/dicomweb/studies/1.2/series/3.4/instances/5.6"
