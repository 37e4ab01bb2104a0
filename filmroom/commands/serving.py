"""filmroom serve."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from engine import Invalid
from filmroom import logs
from filmroom.commands.aet import host_and_port
from filmroom.loading import load
from filmroom.serve import print_ready, run


async def serve(
    store: str | None = None,
    /,
    *,
    host: str | None = None,
    dimse_port: int | None = None,
    http_port: int | None = None,
    ae_title: str | None = None,
    tls_cert: str | None = None,
    tls_key: str | None = None,
    dimse_tls_port: int | None = None,
    insecure: bool | None = None,
    peer: Annotated[Sequence[str], Parameter(negative="")] = (),
    config: Path | None = None,
) -> int:
    """Run a node until SIGTERM or Ctrl-C. STORE is a folder (default ./filmroom-data), a bucket or memory://.

    Parameters
    ----------
    store
        Folder of the archive, made when it is not there (default ./filmroom-data); s3://BUCKET/PREFIX, gs:// or az://,
        with credentials as the cloud's own tools take them; or memory://.
    host
        Address to listen on (default 127.0.0.1: this machine only).
    dimse_port
        DICOM port (default 11112; 0 takes a free one).
    http_port
        HTTP port (default 8080; 0 takes a free one).
    ae_title
        Our AE title (default FILMROOM).
    tls_cert
        PEM file of a certificate: HTTP and a second DICOM port speak TLS then.
    tls_key
        PEM file of its key (default: in the same file).
    dimse_tls_port
        DICOM port with TLS (default 2762; 0 takes a free one).
    insecure
        Serve a network without TLS or tokens.
    peer
        A known peer as AE_TITLE=HOST:PORT; may be repeated.
    config
        Settings file (default ./filmroom.toml if there is one).
    """
    flags: dict[str, object] = {
        "store.url": store,
        "serve.host": host,
        "serve.dimse_port": dimse_port,
        "serve.http_port": http_port,
        "serve.ae_title": ae_title,
        "serve.insecure": insecure,
        "serve.dimse_tls_port": dimse_tls_port,
        "tls.certificate": tls_cert,
        "tls.key": tls_key,
        "peer": [peer_of(text) for text in peer] or None,
    }
    settings = load(config, flags).settings
    logs.set_up(settings.serve.log_format, settings.serve.log_level)
    await run(settings, print_ready)
    return 0


def peer_of(text: str) -> dict[str, object]:
    """AE_TITLE=HOST:PORT as the configuration writes it. Raises Invalid."""
    title, equals, address = text.partition("=")
    if not equals:
        raise Invalid(f"{text[:64]!r} is no peer: write AE_TITLE=HOST:PORT")
    host, port = host_and_port(address)
    return {"ae_title": title, "host": host, "port": port}
