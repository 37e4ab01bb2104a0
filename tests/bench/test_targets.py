"""Targets by address, and servers by name."""

import pytest

from bench import targets
from bench.http import Web
from bench.lean import Target


def test_an_address_names_both_doors() -> None:
    found = targets.address("mine=ARCHIVE@pacs.example:104,http://pacs.example:8042/dicom-web/")
    assert (found.name, found.target) == ("mine", Target(104, "ARCHIVE", "pacs.example"))
    assert found.web == Web(8042, "/dicom-web", "pacs.example")
    alone = targets.address("six=A@[::1]:11112")
    assert alone.web is None and alone.target.host == "::1"


@pytest.mark.parametrize(
    "text", ["A@h:1", "x=A@h", "x=h:1", "x=@h:1", "=A@h:1", "x=A@h:port", "x=A@h:1,https://h/", "x=A@h:1,ftp"]
)
def test_what_is_no_address_is_said(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not|is no"):
        targets.address(text)


def test_servers_are_known_installed_and_named_once() -> None:
    with pytest.raises(ValueError, match="no server"):
        targets.starts(["nobody"], [])
    with pytest.raises(ValueError, match="two targets"):
        targets.starts(["filmroom"], ["filmroom=A@h:1"])
    assert list(targets.starts(["filmroom"], ["b=A@h:1", "a=A@h:2"])) == ["filmroom", "b", "a"]
    assert set(targets.usual()) <= set(targets.SERVERS)
