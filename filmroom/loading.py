"""Settings from flags, environment, file and defaults, in this order; an error names where the value was given."""

import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from engine import Invalid
from filmroom.setting_fields import SettingField, fields_of
from filmroom.settings import LISTS, SECTIONS, Loaded, PeerSettings, Settings, WebhookSettings

DEFAULT_FILE = Path("filmroom.toml")
KINDS = ("store", "delete", "restore", "promote", "collect")  # of changes
# Flags that are not called as their setting is.
_FLAGS = {"store.url": "STORE", "tls.certificate": "--tls-cert", "tls.key": "--tls-key"}
_FIELDS = {
    f"{section}.{name}": field for section, struct in SECTIONS.items() for name, field in fields_of(struct).items()
}


class _Given(msgspec.Struct, frozen=True):
    """A value for a setting, where it was given in the user's words, and the origin that ``config show`` prints."""

    dotted: str
    value: Any
    where: str
    origin: str
    from_text: bool = False


def load(
    file: Path | None = None, flags: Mapping[str, object] | None = None, environment: Mapping[str, str] | None = None
) -> Loaded:
    """Read every source. ``flags``: dotted name to value, None = not given. Raises Invalid that names the setting."""
    raw, path = _read_file(file)
    origins = dict.fromkeys(_FIELDS, "default")
    values: dict[str, dict[str, object]] = {section: {} for section in SECTIONS}
    given = [
        *_of_file(raw, path),
        *_of_environment(os.environ if environment is None else environment),
        *_of_flags(flags or {}),
    ]
    for one in given:
        section, _, name = one.dotted.partition(".")
        values[section][name] = _FIELDS[one.dotted].converted(one.value, one.where, from_text=one.from_text)
        origins[one.dotted] = one.origin
    peers = [*_peers_of_file(raw, path), *_peers_of_flag((flags or {}).get("peer") or [])]
    _refuse_twins(peers)
    hooks = [webhook_of(hook, where) for hook, where in _tables_of_file(raw, path, "webhook")]
    _refuse_twin_hooks(hooks)
    origins["webhook"] = f"file {path}" if hooks else "default"
    origins["peer"] = "flag" if (flags or {}).get("peer") else f"file {path}" if peers else "default"
    sections = {section: struct(**values[section]) for section, struct in SECTIONS.items()}
    return Loaded(Settings(peer=tuple(peers), webhook=tuple(hooks), **sections), origins)  # type: ignore[arg-type]


def _read_file(file: Path | None) -> tuple[dict[str, Any], Path]:
    path = file or DEFAULT_FILE
    if file is None and not path.exists():
        return {}, path
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Invalid(f"{path}: {error.strerror if isinstance(error, OSError) else error}") from error
    for section, content in raw.items():
        if section not in {*SECTIONS, *LISTS}:
            there = ", ".join((*(f"[{name}]" for name in SECTIONS), *(f"[[{name}]]" for name in LISTS)))
            raise Invalid(f"{path}: there is no section [{section}]: there are {there}")
        wanted = list if section in LISTS else dict
        if not isinstance(content, wanted):
            written = f"[[{section}]]" if section in LISTS else f"[{section}]"
            raise Invalid(f"{path}: {section} is a section: write {written}")
    return raw, path


def _of_file(raw: Mapping[str, Any], path: Path) -> Iterator[_Given]:
    for section in SECTIONS:
        for name, value in raw.get(section, {}).items():
            _known(name, fields_of(SECTIONS[section]), f"{path}: [{section}]")
            yield _Given(f"{section}.{name}", value, f"{path}: {section}.{name}", f"file {path}")


def _of_environment(environment: Mapping[str, str]) -> Iterator[_Given]:
    """A variable of a section that names no setting is an error, as in the file."""
    for variable, text in sorted(environment.items()):
        for section, struct in SECTIONS.items():
            prefix = f"FILMROOM_{section.upper()}_"
            if variable.startswith(prefix):
                name = variable.removeprefix(prefix).lower()
                _known(name, fields_of(struct), f"{variable}: [{section}]")
                yield _Given(f"{section}.{name}", text, variable, f"env {variable}", from_text=True)


def _of_flags(flags: Mapping[str, object]) -> Iterator[_Given]:
    for dotted, value in flags.items():
        if value is not None and dotted != "peer":
            flag = _FLAGS.get(dotted) or "--" + dotted.partition(".")[2].replace("_", "-")
            yield _Given(dotted, value, flag, "flag")


def _peers_of_file(raw: Mapping[str, Any], path: Path) -> Iterator[PeerSettings]:
    for peer, where in _tables_of_file(raw, path, "peer"):
        yield peer_of(peer, where)


def _tables_of_file(raw: Mapping[str, Any], path: Path, section: str) -> Iterator[tuple[Mapping[str, Any], str]]:
    for number, one in enumerate(raw.get(section, []), 1):
        yield one, f"{path}: [[{section}]] number {number}"


def _peers_of_flag(peers: Any) -> Iterator[PeerSettings]:
    for peer in peers:
        yield peer_of(peer, f"--peer {peer['ae_title']}")


def peer_of(raw: Mapping[str, Any], where: str) -> PeerSettings:
    """A peer as it was written. Raises Invalid that names what is wrong or lacking."""
    return PeerSettings(**_converted(raw, PeerSettings, where))


def webhook_of(raw: Mapping[str, Any], where: str) -> WebhookSettings:
    """A receiver of changes as it was written. Raises Invalid, which says nothing of its secret."""
    shown = dict(raw) if isinstance(raw.get("secret"), str) and len(raw["secret"]) >= 16 else {**raw, "secret": ""}
    hook = WebhookSettings(**_converted(shown, WebhookSettings, where))
    for kind in hook.kinds:
        if kind not in KINDS:
            raise Invalid(f"{where}: kinds: {kind[:64]!r} is none of {', '.join(KINDS)}")
    return hook


def _converted(raw: Mapping[str, Any], struct: type[msgspec.Struct], where: str) -> dict[str, Any]:
    fields = fields_of(struct)
    for name in raw:
        _known(name, fields, where)
    for name, field in fields.items():
        if name not in raw and not field.default:
            raise Invalid(f"{where}: {name} is not given: {field.sentence}")
    return {name: fields[name].converted(value, f"{where}: {name}") for name, value in raw.items()}


def _known(name: str, fields: Mapping[str, SettingField], where: str) -> None:
    if name not in fields:
        raise Invalid(f"{where} has no setting {name[:64]!r}: it has {', '.join(fields)}")


def _refuse_twins(peers: list[PeerSettings]) -> None:
    titles = [peer.ae_title.strip() for peer in peers]
    for title in titles:
        if titles.count(title) > 1:
            raise Invalid(f"two peers are called {title!r}: C-MOVE could not tell them apart")


def _refuse_twin_hooks(hooks: list[WebhookSettings]) -> None:
    urls = [hook.url for hook in hooks]
    for url in urls:
        if urls.count(url) > 1:
            raise Invalid(f"two webhooks go to {url}: name its kinds in one")
