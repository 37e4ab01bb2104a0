"""One node of ours for all of these tests: with an origin that it allows, a token that it wants, a destination."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.process import free_port
from bench.statements.subject import Asked, target
from tests.filmroom.running import run, start

ORIGIN = "https://viewer.example"
MORE = "check_called_ae_title = true\ncommitment_wait_seconds = 1\n"


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    """All that may be asked of it."""
    folder: Path = tmp_path_factory.mktemp("node")
    port = free_port()
    settings = folder / "filmroom.toml"
    settings.write_text(f'[serve]\ncors_origins = ["{ORIGIN}"]\ntokens = "required"\n{MORE}')
    with start(folder / "store", "--config", str(settings), "--peer", f"CONFMOVE=127.0.0.1:{port}") as node:
        made = run("token", "new", "examiner", "--scope", "read,write,delete", "--store", folder / "store")
        assert made.returncode == 0, made.stderr
        yield Asked(
            web=f"http://{node.http[0]}:{node.http[1]}/dicomweb",
            dimse=target(f"FILMROOM@{node.dicom[0]}:{node.dicom[1]}"),
            move_to="CONFMOVE",
            move_port=port,
            token=made.stdout.strip().splitlines()[-1],
            origin=ORIGIN,
        )
