"""What is changed of the viewer so that it can be served below any path: it takes its own for the root of a server.

Its links become relative to where they stand; what it loads while it runs, it loads from beside the script that asks.
Two scripts within its page go: the policy lets none run there. What they did, ``app-config.js`` does.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

from engine import Invalid

INDEX: Final = "index.html"
_ROOT: Final = b'__webpack_require__.p = "/";'
_BESIDE: Final = (
    b'__webpack_require__.p = new URL("./", self.document ? document.currentScript.src : self.location.href).href;'
)
_MICROSCOPE: Final = b"browserImportFunction('/dicom-microscopy-viewer/"
_MICROSCOPE_BESIDE: Final = b"browserImportFunction(__webpack_require__.p + 'dicom-microscopy-viewer/"
_WITHIN: Final = re.compile(rb"<script>(?:console\.time\(|function browserImportFunction\()[^<]*</script>")
_WITHIN_COUNT: Final = 2


def page(text: bytes) -> bytes:
    """``index.html``. Raises Invalid when it is not what it was when this was written."""
    text, count = _WITHIN.subn(b"", text)
    if count != _WITHIN_COUNT or b"<script>" in text:
        raise Invalid("the viewer's page holds other scripts than it should")
    return re.sub(rb'\b(href|src|content)="/', rb'\1="./', text)


def script(text: bytes) -> bytes:
    """A bundle."""
    return text.replace(_ROOT, _BESIDE).replace(_MICROSCOPE, _MICROSCOPE_BESIDE)


def links(text: bytes) -> bytes:
    """A list of icons, read from beside them or from the page's folder."""
    return text.replace(b'"/assets/', b'"assets/')


BY_NAME: Final[Mapping[str, Callable[[bytes], bytes]]] = {INDEX: page, "manifest.json": links}


def altered(name: str, text: bytes) -> bytes:
    """The content of a file as it is laid down."""
    if (change := BY_NAME.get(name)) is not None:
        return change(text)
    if name.endswith(".css"):
        return text.replace(b"url(/", b"url(")
    return script(text) if name.endswith(".js") and "/" not in name else text
