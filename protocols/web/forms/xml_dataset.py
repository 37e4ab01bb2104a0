"""The Native DICOM Model (PS3.19 A.1) of a data set as its DICOM JSON. Pure."""

from collections.abc import Iterator
from typing import Any, Final
from xml.etree import ElementTree
from xml.parsers import expat

from native.faults import DEPTH_MAX
from protocols.web.forms.json_dataset import Unsound

_NUMBERS: Final = frozenset(("US", "SS", "UL", "SL", "SV", "UV", "FL", "FD"))
_COMPONENTS: Final = ("FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix")
_BLOCKS: Final = range(0x10, 0x100)


def model_of(document: bytes) -> dict[str, Any]:
    """The data set. Raises Unsound; no document type is taken, so that nothing in it unfolds or is fetched."""
    try:
        _refuse_types(document)
        root = ElementTree.fromstring(document)
    except (ElementTree.ParseError, expat.ExpatError, ValueError, LookupError):
        raise Unsound("the XML of a data set is not sound") from None
    if _name(root) != "NativeDicomModel":
        raise Unsound("the XML is no Native DICOM Model")
    return _model(root, 0)


def _refuse_types(document: bytes) -> None:
    def refuse(*_: object) -> None:
        raise ValueError

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = refuse
    parser.Parse(document, True)


def _model(parent: ElementTree.Element, depth: int) -> dict[str, Any]:
    if depth > DEPTH_MAX:
        raise Unsound(f"sequences are nested deeper than {DEPTH_MAX}")
    model: dict[str, Any] = {}
    creators: dict[tuple[str, str], str] = {}
    for attribute in _children(parent, "DicomAttribute"):
        tag, vr = attribute.get("tag", "").upper(), attribute.get("vr", "")
        creator = attribute.get("privateCreator", "")
        if creator and tag[4:6] == "00" and tag[6:]:
            tag = f"{tag[:4]}{_block(model, creators, tag[:4], creator)}{tag[6:]}"
        model[tag] = _said(attribute, vr, depth)
    return model


def _block(model: dict[str, Any], creators: dict[tuple[str, str], str], group: str, creator: str) -> str:
    """The two digits of a private creator's block; it is named where the document leaves it out."""
    for block in (f"{number:02X}" for number in _BLOCKS):
        owner = model.get(f"{group}00{block}", {}).get("Value", [None])[0]
        if owner == creator:
            return block
        if owner is None:
            model[f"{group}00{block}"] = {"vr": "LO", "Value": [creator]}
            return creators.setdefault((group, creator), block)
    raise Unsound("a group has too many private creators")


def _said(attribute: ElementTree.Element, vr: str, depth: int) -> dict[str, Any]:
    said: dict[str, Any] = {"vr": vr}
    for child in attribute:
        name = _name(child)
        if name == "InlineBinary":
            said["InlineBinary"] = "".join((child.text or "").split())
        elif name == "BulkData":
            said["BulkDataURI"] = child.get("uri") or child.get("uuid")
    values = list(_values(attribute, vr, depth))
    return said | ({"Value": values} if values else {})


def _values(attribute: ElementTree.Element, vr: str, depth: int) -> Iterator[Any]:
    """In the order of their numbers, those that are left out empty."""
    numbered: dict[int, Any] = {}
    for child in attribute:
        name = _name(child)
        if name not in ("Value", "Item", "PersonName"):
            continue
        try:
            number = int(child.get("number", ""))
        except ValueError:
            number = 0
        if number != len(numbered) + 1 and not len(numbered) < number <= len(numbered) + 1024:
            raise Unsound("the values of an attribute are not numbered from 1")
        while len(numbered) < number - 1:
            numbered[len(numbered) + 1] = None
        numbered[number] = _value(child, name, vr, depth)
    yield from numbered.values()


def _value(child: ElementTree.Element, name: str, vr: str, depth: int) -> Any:
    if name == "Item":
        return _model(child, depth + 1)
    if name == "PersonName":
        return {_name(group): _person(group) for group in child}
    text = child.text or ""
    return text.strip() if vr in _NUMBERS else text


def _person(group: ElementTree.Element) -> str:
    parts = {_name(one): one.text or "" for one in group}
    return "^".join(parts.get(name, "") for name in _COMPONENTS).rstrip("^")


def _children(parent: ElementTree.Element, name: str) -> Iterator[ElementTree.Element]:
    return (child for child in parent if _name(child) == name)


def _name(element: ElementTree.Element) -> str:
    return str(element.tag).rpartition("}")[2]
