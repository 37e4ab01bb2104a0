"""What a viewer was given, kept as files and served by nginx: the quickest that a server of files can be."""

import gzip
import shutil
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from msgspec import Struct

from bench.process import Process, free_port, started

NGINX = "nginx"
TYPES = Path("/etc/nginx/mime.types")
# A name that no folder has: `/dicomweb/studies` is an answer, and a folder too.
SUFFIX = ".answer"
GZIPPED = ("application/dicom+json", "application/wasm", "text/")
GZIP_BYTES_MIN = 1024
_CONFIGURATION = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/errors.log; 
events {{ worker_connections 512; }}
http {{
  include {types}; access_log off; sendfile on; tcp_nopush on; tcp_nodelay on;
  keepalive_requests 100000; gzip_static on;
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  server {{
    listen 127.0.0.1:{port}; root {folder}/site;
    location /ohif/ {{ try_files $uri /ohif/index.html; }}
    location /dicomweb/ {{ types {{}} default_type application/dicom+json; try_files $uri{suffix} =404; }}
    location ~ /frames/ {{ types {{}} default_type '{frames}'; try_files $uri{suffix} =404; }}
    location ~ /thumbnail$ {{ types {{}} default_type image/jpeg; try_files $uri{suffix} =404; }}
  }}
}}
"""


class Given(Struct, frozen=True):
    """One answer: its path without the query, its media type, its content."""

    path: str
    content_type: str
    body: bytes


def ask(origin: str, path: str, accept: str) -> Given:
    """The same answer once more, plain. RuntimeError when there is none."""
    request = urllib.request.Request(origin + path, headers={"Accept": accept})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=60) as answer:
        return Given(urlsplit(path).path, answer.headers["Content-Type"], answer.read())


def keep(folder: Path, given: Given) -> None:
    """As a file; packed beside it where that is worth it."""
    path = folder / "site" / given.path.lstrip("/")
    if given.path.startswith("/ohif/"):
        path = path if path.suffix else folder / "site" / "ohif" / "index.html"  # of every view
    else:
        path = path.with_name(path.name + SUFFIX)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(given.body)
    if given.content_type.startswith(GZIPPED) and len(given.body) >= GZIP_BYTES_MIN:
        path.with_name(path.name + ".gz").write_bytes(gzip.compress(given.body, 6))


@contextmanager
def nginx(folder: Path, frames: str) -> Iterator[tuple[Process, int]]:
    """A running nginx on what was kept in the folder, and its port. ``frames``: the media type of frames."""
    if shutil.which(NGINX) is None:
        raise RuntimeError("nginx is not installed: apt-get install nginx-light")
    port = free_port()
    said: Mapping[str, object] = {"folder": folder, "types": TYPES, "port": port, "suffix": SUFFIX, "frames": frames}
    (folder / "nginx.conf").write_text(_CONFIGURATION.format_map(said))
    with started([NGINX, "-c", folder / "nginx.conf", "-p", folder], folder, port, {}) as process:
        yield process, port
