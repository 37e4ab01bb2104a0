"""The Native DICOM Model (PS3.19 A.1) of data sets, made of their DICOM JSON: for the few who ask for XML. Pure."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final
from xml.sax.saxutils import escape, quoteattr

import msgspec

from native.dictionary import keyword_of
from protocols.web.forms.multipart import Writer

MEDIA_TYPE: Final = "application/dicom+xml"
BOUNDARY: Final = "native-dicom-model"  # nothing in an XML document of ours begins a line with dashes
_BEGIN: Final = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<NativeDicomModel xmlns="http://dicom.nema.org/PS3.19/models/NativeDICOM">'
)
_END: Final = "</NativeDicomModel>"
_NEVER_IN_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_COMPONENTS: Final = ("FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix")
# Decimal strings keep the digits that they were written with.
_DECODER: Final = msgspec.json.Decoder(dict[str, Any], float_hook=str)


def parts(models: Iterable[bytes]) -> tuple[str, bytes]:
    """Content type and body: a part for each data set, given as a DICOM JSON object."""
    writer = Writer(BOUNDARY)
    pieces: list[bytes] = []
    for model in models:
        written = document(model)
        pieces += (writer.head(MEDIA_TYPE, len(written)), written)
    return writer.content_type(MEDIA_TYPE), b"".join((*pieces, writer.end()))


def document(model: bytes) -> bytes:
    """One data set, given as a DICOM JSON object."""
    return f"{_BEGIN}{_attributes(_DECODER.decode(model))}{_END}".encode()


def _attributes(model: Mapping[str, Any]) -> str:
    return "".join(_attribute(tag, said, model) for tag, said in model.items())


def _attribute(tag: str, said: Mapping[str, Any], among: Mapping[str, Any]) -> str:
    vr = said["vr"]
    if int(tag[3], 16) & 1:
        creator = among.get(f"{tag[:4]}00{tag[4:6]}", {}).get("Value", [""])[0]
        name = f" privateCreator={quoteattr(_clean(creator))}" if creator and tag[4:6] != "00" else ""
        tag = f"{tag[:4]}00{tag[6:]}" if name else tag
    else:
        keyword = keyword_of(int(tag, 16))
        name = f' keyword="{keyword}"' if keyword else ""
    if (uri := said.get("BulkDataURI")) is not None:
        inner = f"<BulkData uri={quoteattr(uri)}/>"
    elif (binary := said.get("InlineBinary")) is not None:
        inner = f"<InlineBinary>{binary}</InlineBinary>"
    else:
        values = enumerate(said.get("Value", ()), 1)
        inner = "".join(_value(number, value, vr) for number, value in values if value is not None)
    return f'<DicomAttribute tag="{tag}" vr="{vr}"{name}>{inner}</DicomAttribute>'


def _value(number: int, value: Any, vr: str) -> str:
    if vr == "SQ":
        return f'<Item number="{number}">{_attributes(value)}</Item>'
    if vr == "PN":
        return f'<PersonName number="{number}">{"".join(_group(*group) for group in value.items())}</PersonName>'
    return f'<Value number="{number}">{escape(_clean(str(value)))}</Value>'


def _group(name: str, text: str) -> str:
    components = zip(_COMPONENTS, text.split("^"), strict=False)
    inner = "".join(f"<{part}>{escape(_clean(one))}</{part}>" for part, one in components if one)
    return f"<{name}>{inner}</{name}>"


def _clean(text: str) -> str:
    return _NEVER_IN_XML.sub("\ufffd", text)
