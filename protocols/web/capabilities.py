"""What is served, generated from the table of routes: capabilities (PS3.18 8.9, Annex H) and OpenAPI 3.1."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from xml.etree import ElementTree

import msgspec

from protocols.web import links
from protocols.web.forms import accept
from protocols.web.messages import Reply, Request
from protocols.web.problems import MEDIA_TYPE, Problem
from protocols.web.routing import Parameter, Route
from protocols.web.site import Site
from protocols.web.status_page.drawn import HTML

WADL: Final = "application/vnd.sun.wadl+xml"
WADL_NAMESPACE: Final = "http://wadl.dev.java.net/2009/02"
GIVES: Final = (WADL, "application/xml", "application/json")
_OFFERS: Final = tuple(accept.Offer(name) for name in GIVES)
_PATTERNS: Final = {name: {"pattern": "^[0-9.]{1,64}$"} for name in ("study", "series", "instance", "workitem")}
_BYTES: Final = {"type": "string", "format": "binary"}
_SEGMENT: Final = re.compile(r"\{(\w+)\*?\}")


async def capabilities(request: Request, site: Site) -> Reply:
    """OPTIONS of the root (PS3.18 8.9), and GET: who opens the URL that ``serve`` names sees what is there."""
    offer = accept.choose(_OFFERS, request.accepts())
    if offer is None:
        raise Problem(406, f"capabilities are given as {', '.join(GIVES)}")
    base = links.base_url(request, site.settings)
    routes = [route for route in site.routes if route.path.startswith(links.ROOT)]
    body = msgspec.json.encode(as_json(routes, base)) if offer.media_type == GIVES[2] else wadl(routes, base)
    allow = ", ".join(sorted({"OPTIONS", *(route.method for route in routes if route.path == links.ROOT)}))
    return Reply(200, (("Content-Type", offer.media_type), ("Allow", allow)), body)


async def openapi(request: Request, site: Site) -> Reply:
    """The same for every path that programs use, as OpenAPI."""
    document = openapi_document(
        [route for route in site.routes if not route.is_page and route.gives != (HTML,)],
        links.base_url(request, site.settings),
    )
    return Reply(200, (("Content-Type", "application/json"),), msgspec.json.encode(document))


def wadl(routes: Iterable[Route], base: str) -> bytes:
    """Web Application Description Language: a resource a path, flat."""
    ElementTree.register_namespace("", WADL_NAMESPACE)
    application = ElementTree.Element(f"{{{WADL_NAMESPACE}}}application")
    resources = _below(application, "resources", base=base)
    for path, there in _by_path(routes).items():
        resource = _below(resources, "resource", path=_template(path).lstrip("/"))
        for name in _SEGMENT.findall(path):
            _below(resource, "param", name=name, style="template", required="true")
        for route in there:
            method = _below(resource, "method", name=route.method, id=_operation(route))
            _below(method, "doc", title=route.summary)
            asked = _below(method, "request")
            for one in route.parameters:
                _below(asked, "param", name=one.name, style="query", repeating=str(one.is_repeated).lower())
            for name in route.takes:
                _below(asked, "representation", mediaType=name)
            given = _below(method, "response")
            for name in route.gives:
                _below(given, "representation", mediaType=name)
    text: bytes = ElementTree.tostring(application, encoding="utf-8", xml_declaration=True)
    return text


def as_json(routes: Iterable[Route], base: str) -> dict[str, Any]:
    """The same as JSON."""
    return {
        "application": {
            "resources": {
                "base": base,
                "resource": [
                    {"path": _template(path).lstrip("/"), "method": [_method(route) for route in there]}
                    for path, there in _by_path(routes).items()
                ],
            }
        }
    }


def openapi_document(routes: Sequence[Route], base: str) -> dict[str, Any]:
    """OpenAPI 3.1."""
    bodies = [route.body for route in routes if route.body is not None]
    schemas, named = msgspec.json.schema_components(bodies, ref_template="#/components/schemas/{name}")
    of_body = {id(body): schema for body, schema in zip(bodies, schemas, strict=True)}
    paths: dict[str, Any] = {}
    for path, there in _by_path(routes).items():
        paths[_template(path)] = {route.method.lower(): _described(route, of_body) for route in there}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Filmroom", "version": "1", "summary": "DICOMweb and REST of a Filmroom archive"},
        "servers": [{"url": base}],
        "paths": paths,
        "components": {"schemas": named, "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
    }


def _described(route: Route, of_body: Mapping[int, Any]) -> dict[str, Any]:
    in_path = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"} | _PATTERNS.get(name, {})}
        for name in _SEGMENT.findall(route.path)
    ]
    described: dict[str, Any] = {
        "operationId": _operation(route),
        "summary": route.summary,
        "parameters": in_path + [_in_query(one) for one in route.parameters],
        "responses": {
            "2XX": {"description": "done", "content": {name: {} for name in route.gives}},
            "4XX": {"description": "not done", "content": {name: {} for name in (MEDIA_TYPE, *route.fails)}},
        },
        "security": [{"token": [route.scope]}, {}],
    }
    if route.takes:
        body = {"schema": of_body[id(route.body)]} if route.body is not None else {"schema": _BYTES}
        described["requestBody"] = {"required": True, "content": dict.fromkeys(route.takes, body)}
    return described


def _in_query(one: Parameter) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    if one.is_repeated:
        schema = {"type": "array", "items": schema}
    return {"name": one.name, "in": "query", "description": one.summary, "schema": schema}


def _method(route: Route) -> dict[str, Any]:
    return {
        "name": route.method,
        "id": _operation(route),
        "doc": route.summary,
        "request": {"param": [one.name for one in route.parameters], "representation": list(route.takes)},
        "response": {"representation": list(route.gives)},
    }


def _by_path(routes: Iterable[Route]) -> dict[str, list[Route]]:
    found: dict[str, list[Route]] = {}
    for route in routes:
        found.setdefault(route.path, []).append(route)
    return found


def _template(path: str) -> str:
    return path.replace("*}", "}")


def _operation(route: Route) -> str:
    words = [word.strip("{}*") for word in route.path.split("/") if word]
    return "_".join((route.method.lower(), *words)).replace(".", "_").replace("-", "_")


def _below(parent: ElementTree.Element, tag: str, /, **attributes: str) -> ElementTree.Element:
    return ElementTree.SubElement(parent, f"{{{WADL_NAMESPACE}}}{tag}", attributes)
