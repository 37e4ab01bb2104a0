"""One setting as people read it: name, sentence, what it may be, default."""

from typing import Any, get_args

import msgspec
from msgspec import inspect

from engine import Invalid
from filmroom.settings import LISTS, SECTIONS, PeerSettings, WebhookSettings


class SettingField(msgspec.Struct, frozen=True):
    """``allowed``: what it may be, in words. ``default`` as TOML writes it; empty when it must be given."""

    name: str
    sentence: str
    allowed: str
    default: str
    type: Any

    def converted(self, value: object, where: str, *, from_text: bool = False) -> object:
        """The value as the setting has it; of text, a list is what commas part. Raises Invalid: ``where`` it was given,
        and what may be given there."""
        if from_text and self.default.startswith("["):
            value = [part for part in (part.strip() for part in str(value).split(",")) if part]
        try:
            return msgspec.convert(value, self.type, strict=not from_text)
        except msgspec.ValidationError:
            raise Invalid(f"{where}: {value!r:.80} is not {self.allowed}") from None


def fields_of(struct: type[msgspec.Struct]) -> dict[str, SettingField]:
    """The settings of one section, by name."""
    return {
        field.name: SettingField(
            field.name,
            _sentence(field.type),
            _allowed(field.type),
            "" if field.required else toml_of(field.default),
            field.type,
        )
        for field in msgspec.structs.fields(struct)
    }


def template() -> str:
    """A ``filmroom.toml`` with every setting at its default, each with its sentence."""
    lines = ["# Filmroom. Precedence: flag, environment (FILMROOM_SERVE_HTTP_PORT), this file, default."]
    for section, struct in SECTIONS.items():
        lines += ["", f"[{section}]"]
        for field in fields_of(struct).values():
            lines += [f"# {field.sentence} ({field.allowed})", f"{field.name} = {field.default}"]
    lines += [
        "",
        "# A DICOM application that may call us, and that C-MOVE may send to; one such section for each.",
        "# [[peer]]",
    ]
    examples = {"ae_title": '"WS1"', "host": '"10.0.0.5"'}
    for field in fields_of(PeerSettings).values():
        lines += [f"# {field.name} = {examples.get(field.name, field.default)}"]
    lines += ["", "# Who is told of changes; one such section for each.", "# [[webhook]]"]
    examples = {"url": '"https://hooks.example/filmroom"', "secret": '"..."'}
    for field in fields_of(WebhookSettings).values():
        lines += [f"# {field.name} = {examples.get(field.name, field.default)}"]
    return "\n".join(lines) + "\n"


def table() -> str:
    """Every setting as rows of a Markdown table."""
    rows = ["| setting | default | |", "|---|---|---|"]
    sections: dict[str, type[msgspec.Struct]] = {**SECTIONS, **LISTS}
    for section, struct in sections.items():
        for field in fields_of(struct).values():
            default = f"`{field.default}`" if field.default else ""
            choice = f" `{field.allowed}`" if " or " in field.allowed and field.default.startswith('"') else ""
            rows.append(f"| `{section}.{field.name}` | {default} | {field.sentence}{choice} |")
    return "\n".join(rows)


def _sentence(type_: Any) -> str:
    for meta in getattr(type_, "__metadata__", ()):
        if meta.description:
            return str(meta.description)
    return ""


def _allowed(type_: Any) -> str:
    """In words: those of the type's own metadata, or made of what it is."""
    info = inspect.type_info(type_)
    if isinstance(info, inspect.Metadata):
        if info.extra and "allowed" in info.extra:
            return str(info.extra["allowed"])
        info = info.type
    if isinstance(info, inspect.LiteralType):
        values = [str(value) for value in get_args(get_args(type_)[0])]
        return ", ".join(values[:-1]) + " or " + values[-1]
    if isinstance(info, inspect.IntType):
        return f"a whole number from {info.ge or 0}" + (f" to {info.le}" if info.le is not None else "")
    if isinstance(info, inspect.VarTupleType):
        return "a list of texts"
    return "true or false" if isinstance(info, inspect.BoolType) else "text"


def toml_of(value: object) -> str:
    """A value as TOML writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return f"[{', '.join(map(toml_of, value))}]"
    return str(value) if isinstance(value, int) else f'"{value}"'
