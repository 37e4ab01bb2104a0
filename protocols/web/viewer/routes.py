"""The OHIF viewer at ``/ohif/``, as ``filmroom viewer install`` has laid it down. Its links are relative, so that it
works below whatever path a proxy gives us."""

from typing import Final

import trio

from protocols.web import static_files
from protocols.web.messages import Headers, Reply, Request
from protocols.web.routing import Route
from protocols.web.site import Site
from protocols.web.viewer.installed import INDEX

ROOT: Final = "/ohif"
INSTALL: Final = "filmroom viewer install"
# The viewer compiles its decoders (WebAssembly) and small functions of its own; it styles elements one by one, decodes
# in workers, shows documents and videos in elements. It talks to nobody else than us.
_POLICY: Final = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'wasm-unsafe-eval' 'unsafe-eval'",
        "worker-src 'self' blob:",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self' data: blob:",
        "object-src 'self' blob:",
        "frame-src 'self' blob:",
        "media-src 'self' blob:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'self'",
    )
)
HEADERS: Final[Headers] = (("Content-Security-Policy", _POLICY), ("Referrer-Policy", "same-origin"))
_HTML: Final = ("Content-Type", "text/html; charset=utf-8")
_ABSENT: Final = f"""<!doctype html><html lang="en"><meta charset="utf-8"><title>Filmroom: no viewer</title>
<h1>The viewer is not installed</h1><p>On the machine of this archive, and as the user that runs it:</p>
<pre>{INSTALL}</pre><p>It fetches OHIF from npm, once, and checks it. Then load this page again: the node need not be
started anew.</p></html>
"""


async def front(request: Request, site: Site) -> Reply:
    """``/ohif/``; without the slash, there."""
    if request.path.endswith("/"):
        return await _page(site, 0)
    return Reply(308, (("Location", "ohif/"),))


async def file(request: Request, site: Site) -> Reply:
    """A file of the viewer, or a page of it: the viewer itself knows which."""
    name = request.parameters["path"]
    files = await site.viewer.files()
    if (found := files.get(name)) is not None and name != INDEX:
        try:
            return await static_files.reply(request, found, HEADERS)
        except FileNotFoundError:  # it is being replaced, or went
            return _absent()
    if files and "." in name.rpartition("/")[2] and name != INDEX:
        return Reply(404, (("Content-Type", "text/plain; charset=utf-8"),), b"the viewer has no such file\n")
    return await _page(site, request.path.partition(f"{ROOT}/")[2].count("/"))


async def _page(site: Site, depth: int) -> Reply:
    """The page of every view; ``depth``: how many folders below ``/ohif/`` the browser thinks that it is."""
    index = (await site.viewer.files()).get(INDEX)
    if index is None:
        return _absent()
    try:
        text = await trio.Path(index.path).read_text("utf-8")
    except FileNotFoundError:
        return _absent()
    body = text.replace('="./', f'="{"../" * depth}' if depth else '="./').encode()
    return Reply(200, (_HTML, ("Cache-Control", static_files.REVALIDATED), *HEADERS), body)


def _absent() -> Reply:
    return Reply(404, (_HTML,), _ABSENT.encode())


ROUTES: Final = (
    Route(method="GET", path=ROOT, handler=front, scope="read", summary="The OHIF viewer", is_page=True),
    Route(method="GET", path=f"{ROOT}/{{path*}}", handler=file, scope="read", summary="Its files", is_page=True),
)
