"""Settings: precedence, origins, and errors that name what is wrong."""

import tomllib
from pathlib import Path

import pytest

from engine import Invalid
from filmroom.compose import dimse_settings
from filmroom.loading import load
from filmroom.setting_fields import table, template
from filmroom.settings import Settings
from protocols.dimse import DimseSettings
from tests.tidy.reading import ROOT


def written(folder: Path, text: str) -> Path:
    file = folder / "filmroom.toml"
    file.write_text(text)
    return file


def test_defaults_are_safe() -> None:
    loaded = load(None, {}, {})
    assert loaded.settings.serve.host == "127.0.0.1"
    assert loaded.settings.store.ack == "disk"
    assert set(loaded.origins.values()) == {"default"}


def test_flag_before_environment_before_file_before_default(tmp_path: Path) -> None:
    file = written(tmp_path, '[serve]\nhttp_port = 1\ndimse_port = 1\nae_title = "FILE"\n')
    environment = {"FILMROOM_SERVE_HTTP_PORT": "2", "FILMROOM_SERVE_DIMSE_PORT": "2", "OTHER": "x"}
    loaded = load(file, {"serve.http_port": 3, "serve.host": None}, environment)
    serve = loaded.settings.serve
    assert (serve.http_port, serve.dimse_port, serve.ae_title, serve.host) == (3, 2, "FILE", "127.0.0.1")
    assert loaded.origins["serve.http_port"] == "flag"
    assert loaded.origins["serve.dimse_port"] == "env FILMROOM_SERVE_DIMSE_PORT"
    assert loaded.origins["serve.ae_title"] == f"file {file}"
    assert loaded.origins["serve.host"] == "default"


def test_character_sets_are_written_by_their_terms(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        "[store]\ncharacter_set = 'ISO_IR 100'\n[[peer]]\nae_title = 'A'\nhost = 'a'\n"
        "character_set = '\\ISO 2022 IR 87'\n",
    )
    settings = load(file, {}, {}).settings
    assert (settings.store.character_set, settings.peer[0].character_set) == ("ISO_IR 100", "\\ISO 2022 IR 87")


def test_C19_the_limits_of_commitment_are_settings(tmp_path: Path) -> None:
    file = written(tmp_path, "[serve]\ncommitment_wait_seconds = 60\ncommitment_deadline_seconds = 120\n")
    chosen = dimse_settings(load(file, {}, {}).settings)
    assert (chosen.commitment_wait_seconds, chosen.commitment_deadline_seconds) == (60, 120)
    unchanged, dicom = dimse_settings(Settings()), DimseSettings()
    assert unchanged.commitment_wait_seconds == dicom.commitment_wait_seconds
    assert unchanged.commitment_deadline_seconds == dicom.commitment_deadline_seconds


def test_peers_of_flag_and_file_add_up(tmp_path: Path) -> None:
    file = written(tmp_path, '[[peer]]\nae_title = "A"\nhost = "a"\n')
    loaded = load(file, {"peer": [{"ae_title": "B", "host": "b", "port": 1}]}, {})
    assert [(peer.ae_title, peer.port) for peer in loaded.settings.peer] == [("A", 104), ("B", 1)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[serve]\nhttp_prot = 1\n", "http_prot"),
        ("[serve]\nhttp_port = '1'\n", "serve.http_port: '1' is not a whole number from 0 to 65535"),
        ("[serve]\nhttp_port = 70000\n", "serve.http_port: 70000 is not"),
        ("[server]\n", "server"),
        ("[store]\nack = 'maybe'\n", "store.ack: 'maybe' is not disk or object"),
        ("[store]\nintake_bytes_max = 1\n", "intake_bytes_max"),
        ("[[peer]]\nae_title = 'A'\n", "host"),
        (
            "[[peer]]\nae_title = 'A'\nhost = 'a'\ncharacter_set = 'latin-1'\n",
            "character_set: 'latin-1' is not",
        ),
        ("[store]\ncharacter_set = 'ISO_IR 999'\n", "store.character_set: 'ISO_IR 999' is not"),
        (
            "[[peer]]\nae_title = 'ABCDEFGHIJKLMNOPQ'\nhost = 'a'\n",
            "number 1: ae_title: 'ABCDEFGHIJKLMNOPQ' is not",
        ),
        ("[serve\n", "filmroom.toml"),
        ("serve = 1\n", "[serve]"),
        ("[peer]\nae_title = 'A'\n", "[[peer]]"),
        ("[[peer]]\nae_title = 'A'\nhost = 'a'\nprot = 1\n", "prot"),
    ],
)
def test_a_wrong_file_is_refused_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(Invalid) as refused:
        load(written(tmp_path, text), {}, {})
    assert said in str(refused.value)
    assert "filmroom.toml" in str(refused.value)


def test_two_peers_of_one_title_are_refused(tmp_path: Path) -> None:
    file = written(tmp_path, "[[peer]]\nae_title = 'A'\nhost = 'a'\n")
    with pytest.raises(Invalid, match="two peers are called 'A'"):
        load(file, {"peer": [{"ae_title": " A", "host": "b", "port": 1}]}, {})


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"serve.dimse_port": 80_000}, "--dimse-port: 80000 is not a whole number from 0 to 65535"),
        ({"serve.ae_title": "a\\b"}, "--ae-title"),
        ({"peer": [{"ae_title": "A", "host": "a", "port": 0}]}, "--peer A: port: 0 is not"),
    ],
)
def test_a_wrong_flag_is_named(flags: dict[str, object], said: str) -> None:
    with pytest.raises(Invalid, match=said):
        load(None, flags, {})


@pytest.mark.parametrize("variable", ["FILMROOM_SERVE_PORT", "FILMROOM_STORE_HTTP_PORT"])
def test_an_unknown_variable_is_refused(variable: str) -> None:
    with pytest.raises(Invalid, match=variable):
        load(None, {}, {variable: "1"})


def test_a_wrong_variable_is_named() -> None:
    with pytest.raises(Invalid, match="FILMROOM_SERVE_HTTP_PORT"):
        load(None, {}, {"FILMROOM_SERVE_HTTP_PORT": "many"})


def test_a_missing_file_is_refused_only_when_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    load(None, {}, {})
    with pytest.raises(Invalid, match=r"gone\.toml"):
        load(tmp_path / "gone.toml", {}, {})


def test_the_template_is_the_defaults_each_with_a_sentence(tmp_path: Path) -> None:
    text = template()
    assert load(written(tmp_path, text), {}, {}).settings == load(None, {}, {}).settings
    assert set(tomllib.loads(text)) == {"serve", "store", "tls"}
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if " = " in line and not line.startswith("#"):
            assert lines[number - 1].startswith("# ") and "(" in lines[number - 1], line


def test_a_page_has_the_table_of_settings() -> None:
    assert table() in (ROOT / "docs" / "operating.md").read_text("utf-8")


def test_a_list_is_written_as_toml_has_it_and_parted_by_commas_in_the_environment(tmp_path: Path) -> None:
    file = written(tmp_path, '[serve]\ncors_origins = ["https://a"]\n')
    environment = {"FILMROOM_SERVE_TRUSTED_PROXIES": "10.0.0.1, 10.0.0.2,"}
    serve = load(file, {}, environment).settings.serve
    assert (serve.cors_origins, serve.trusted_proxies) == (("https://a",), ("10.0.0.1", "10.0.0.2"))
    with pytest.raises(Invalid, match=r"serve.cors_origins: .* is not a list of texts"):
        load(written(tmp_path, '[serve]\ncors_origins = "https://a"\n'), {}, {})
