"""filmroom config show, schema, init."""

import msgspec

from filmroom.commands.place import HERE, Place
from filmroom.commands.screen import say_json, table
from filmroom.setting_fields import template, toml_of
from filmroom.settings import SECTIONS, Settings


def show(*, json: bool = False, place: Place = HERE) -> int:
    """Each setting, its value and where it came from.

    Parameters
    ----------
    json
        A JSON array.
    """
    loaded = place.load()
    rows = [
        {"setting": f"{section}.{name}", "value": value, "origin": loaded.origins[f"{section}.{name}"]}
        for section in SECTIONS
        for name, value in msgspec.to_builtins(getattr(loaded.settings, section)).items()
    ]
    for peer in loaded.settings.peer:
        rows.append(
            {"setting": f"peer.{peer.ae_title}", "value": f"{peer.host}:{peer.port}", "origin": loaded.origins["peer"]}
        )
    for hook in loaded.settings.webhook:
        rows.append({"setting": "webhook", "value": hook.url, "origin": loaded.origins["webhook"]})
    if json:
        say_json(rows)
    else:
        texts = [row["value"] if isinstance(row["value"], str) else toml_of(row["value"]) for row in rows]
        shown = [{**row, "value": text} for row, text in zip(rows, texts, strict=True)]
        table({name: name for name in ("setting", "value", "origin")}, shown)
    return 0


def schema() -> int:
    """JSON schema of filmroom.toml."""
    say_json(msgspec.json.schema(Settings))
    return 0


def init() -> int:
    """A commented filmroom.toml, to standard output: filmroom config init > filmroom.toml."""
    print(template(), end="")
    return 0
