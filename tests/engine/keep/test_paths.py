"""Every key is made and read back; nothing else passes."""

import pytest

from engine.errors import Invalid
from engine.keep import paths

HASH = "0123456789abcdef" * 2


def test_the_keys_of_the_layout() -> None:
    """These are on disks: never change a line, add others."""
    assert paths.FORMAT_KEY == "format.json"
    assert paths.object_key("default", HASH) == f"t/default/o/01/{HASH}.dcm"
    assert paths.object_key("default", f"{HASH}.2~7") == f"t/default/o/01/{HASH}.2~7.dcm"
    assert paths.batch_key("default", "aa11", 3, 42) == "t/default/j/aa11/00000003/0000000000000042"
    assert paths.writers_key("default", 9) == "t/default/w/0000000000000009"
    assert paths.control_key("peers", 1) == "c/peers/0000000000000001"
    assert paths.heartbeat_key("aa11") == "n/aa11"


@pytest.mark.parametrize("name", [HASH, f"{HASH}.1", f"{HASH}.12", f"{HASH}~3", f"{HASH}.1~v2"])
def test_object_names_read_back(name: str) -> None:
    assert str(paths.parse_object_name(name)) == name
    assert paths.parse_object_key(paths.object_key("a-b", name)) == ("a-b", paths.parse_object_name(name))
    paths.check_key(paths.object_key("a-b", name))


@pytest.mark.parametrize(
    "name",
    ["", "x", HASH[1:], HASH + "0", HASH.upper(), f"{HASH}.0", f"{HASH}.", f"{HASH}~", f"{HASH}/.."],
)
def test_other_names_are_no_objects(name: str) -> None:
    with pytest.raises(Invalid):
        paths.object_key("default", name)


def test_a_key_in_the_wrong_folder_is_no_object() -> None:
    for key in (
        f"t/default/o/ff/{HASH}.dcm",
        f"t/default/o/01/{HASH}",
        f"t/default/x/01/{HASH}.dcm",
        f"o/01/{HASH}.dcm",
    ):
        with pytest.raises(Invalid):
            paths.parse_object_key(key)


def test_batch_keys_read_back() -> None:
    key = paths.batch_key("default", "aa11", 3, 42)
    assert paths.parse_batch_key(key) == paths.BatchKey("default", "aa11", 3, 42)
    assert paths.parse_number(key) == 42
    for wrong in ("t/default/j/aa11/3/42", key + "0", key.replace("aa11", "..")):
        with pytest.raises(Invalid):
            paths.parse_batch_key(wrong)
    with pytest.raises(Invalid):
        paths.parse_number("t/default/w/42")


def test_keys_sort_as_their_numbers() -> None:
    numbers = [1, 9, 10, 99, 100, 10**15, paths.NUMBER_MAX]
    keys = [paths.batch_key("a", "w", 1, number) for number in numbers]
    assert keys == sorted(keys)
    for wrong in (0, -1, paths.NUMBER_MAX + 1):
        with pytest.raises(Invalid):
            paths.batch_key("a", "w", 1, wrong)
    with pytest.raises(Invalid):
        paths.batch_key("a", "w", paths.EPOCH_MAX + 1, 1)


@pytest.mark.parametrize("tenant", ["a", "default", "st-mary", "x" * 63, "0"])
def test_tenants(tenant: str) -> None:
    assert paths.check_tenant(tenant) == tenant


@pytest.mark.parametrize("tenant", ["", "A", "a/b", "..", "-a", "a-", "x" * 64, "a b", "a_b", "é", "a\n"])
def test_what_is_no_tenant(tenant: str) -> None:
    for make in (paths.check_tenant, paths.object_prefix, paths.journal_prefix, paths.writers_prefix):
        with pytest.raises(Invalid):
            make(tenant)


@pytest.mark.parametrize("writer", ["", "A", "a/b", "..", "a\n", "x" * 64])
def test_what_is_no_writer(writer: str) -> None:
    with pytest.raises(Invalid):
        paths.batch_key("default", writer, 1, 1)


@pytest.mark.parametrize("stream", ["", "..", "Peers", "1x", "a/b"])
def test_what_is_no_stream(stream: str) -> None:
    with pytest.raises(Invalid):
        paths.control_key(stream, 1)
