"""What an administrator chooses, and where each value came from: flag > environment > file > default."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from engine import Invalid, StoreSettings

DEFAULT_FILE = Path("filmroom.toml")


def check_ae_title(title: str) -> None:
    """Raises ValueError unless it is an AE title (PS3.5 6.2): 1 to 16 printable ASCII characters, no backslash."""
    if not 1 <= len(title.strip()) <= 16 or not title.isascii() or not title.isprintable() or "\\" in title:
        raise ValueError("an AE title is 1 to 16 printable ASCII characters without backslash")


class ServeSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[serve]``. A port of 0 takes a free one. ``log_format`` ``auto``: text on a terminal, JSON otherwise."""

    host: str = "127.0.0.1"
    dimse_port: int = 11112
    http_port: int = 8080
    ae_title: str = "FILMROOM"
    check_called_ae_title: bool = False
    calling: Literal["auto", "any", "known"] = "auto"
    log_format: Literal["auto", "text", "json"] = "auto"
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    def __post_init__(self) -> None:
        check_ae_title(self.ae_title)
        for port in (self.dimse_port, self.http_port):
            if not 0 <= port <= 65_535:
                raise ValueError("a port is between 0 and 65535")


class PeerSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[[peer]]``: a DICOM application that may call us, and that C-MOVE may send to."""

    ae_title: str
    host: str
    port: int = 104

    def __post_init__(self) -> None:
        check_ae_title(self.ae_title)
        if not self.host or any(letter.isspace() for letter in self.host):
            raise ValueError("a peer's host is a name or an address")
        if not 1 <= self.port <= 65_535:
            raise ValueError("a peer's port is between 1 and 65535")


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole of ``filmroom.toml``."""

    serve: ServeSettings = ServeSettings()
    store: StoreSettings = StoreSettings()
    peer: tuple[PeerSettings, ...] = ()


class Loaded(msgspec.Struct, frozen=True):
    """Effective settings; ``origins``: dotted name to ``flag``, ``env NAME``, ``file PATH`` or ``default``."""

    settings: Settings
    origins: dict[str, str]


SECTIONS: Mapping[str, type[msgspec.Struct]] = {"serve": ServeSettings, "store": StoreSettings}


def load(
    file: Path | None = None, flags: Mapping[str, object] | None = None, environment: Mapping[str, str] | None = None
) -> Loaded:
    """Read every source. ``flags``: dotted name to value, None = not given. Raises Invalid that names the setting."""
    origins = {f"{section}.{name}": "default" for section in SECTIONS for name in SECTIONS[section].__struct_fields__}
    raw, path = _read_file(file)
    for section in SECTIONS:
        for name in raw.get(section, {}):
            origins[f"{section}.{name}"] = f"file {path}"
    origins["peer"] = f"file {path}" if raw.get("peer") else "default"
    for dotted, (variable, text) in _from_environment(os.environ if environment is None else environment).items():
        _place(raw, dotted, text)
        origins[dotted] = f"env {variable}"
    for dotted, value in (flags or {}).items():
        if value is None:
            continue
        _place(raw, dotted, value)
        origins[dotted] = "flag"
    return Loaded(_convert(raw, "settings"), origins)


def _read_file(file: Path | None) -> tuple[dict[str, Any], Path]:
    path = file or DEFAULT_FILE
    if file is None and not path.exists():
        return {}, path
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Invalid(f"{path}: {error.strerror if isinstance(error, OSError) else error}") from error
    _convert(raw, str(path))  # its own errors carry its own name
    return raw, path


def _convert(raw: Mapping[str, Any], source: str) -> Settings:
    try:
        return msgspec.convert(raw, Settings)
    except (msgspec.ValidationError, ValueError, Invalid) as error:
        raise Invalid(f"{source}: {error}") from error


def _from_environment(environment: Mapping[str, str]) -> dict[str, tuple[str, object]]:
    """Dotted name to (variable, value). A variable of a section that names no setting is an error, as in the file."""
    found: dict[str, tuple[str, object]] = {}
    for variable, text in sorted(environment.items()):
        for section, struct in SECTIONS.items():
            prefix = f"FILMROOM_{section.upper()}_"
            if not variable.startswith(prefix):
                continue
            fields = {field.name: field for field in msgspec.structs.fields(struct)}
            name = variable.removeprefix(prefix).lower()
            if name not in fields:
                raise Invalid(f"{variable} names no setting: [{section}] has {', '.join(fields)}")
            try:
                value = msgspec.convert(text, fields[name].type, strict=False)
            except msgspec.ValidationError as error:
                raise Invalid(f"{variable}: {error}") from error
            found[f"{section}.{name}"] = (variable, value)
    return found


def _place(raw: dict[str, Any], dotted: str, value: object) -> None:
    section, _, name = dotted.partition(".")
    if not name:
        raw[section] = [*raw.get(section, []), *value] if isinstance(value, (list, tuple)) else value
        return
    raw[section] = {**raw.get(section, {}), name: value}


def toml_template() -> str:
    """A ``filmroom.toml`` with every setting at its default, commented out."""
    lines = ["# Filmroom. Precedence: flag, environment (FILMROOM_SERVE_HTTP_PORT), this file, default."]
    for section, struct in SECTIONS.items():
        lines += ["", f"[{section}]"]
        defaults = msgspec.to_builtins(struct())
        lines += [f"# {name} = {_toml(value)}" for name, value in defaults.items()]
    lines += ["", "# [[peer]]", '# ae_title = "WS1"', '# host = "10.0.0.5"', "# port = 104"]
    return "\n".join(lines) + "\n"


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else f'"{value}"'
