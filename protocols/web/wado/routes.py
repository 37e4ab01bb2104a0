"""The routes of retrieval (WADO-RS, PS3.18 10.4), for the table of routes."""

from protocols.web.routing import Handler, Parameter, Route
from protocols.web.wado import bulkdata, frames, objects, rendered


def routes(study: str, series: str, instance: str) -> tuple[Route, ...]:
    """Below these paths."""
    return (
        _get(study, objects.retrieve, "Objects of a study", objects.GIVES),
        _get(series, objects.retrieve, "Objects of a series", objects.GIVES),
        _get(instance, objects.retrieve, "An object", objects.GIVES),
        _get(f"{instance}/frames/{{frames}}", frames.retrieve, "Frames, in the order of the list", frames.GIVES),
        _get(f"{instance}/bulkdata/{{path*}}", bulkdata.retrieve, "The value of an attribute", bulkdata.GIVES),
        _get(f"{instance}/pixeldata", frames.pixel_data, "All frames of an instance", frames.GIVES),
        *_images(study, "a study"),
        *_images(series, "a series"),
        *_images(instance, "an instance"),
        *_images(f"{instance}/frames/{{frames}}", "frames"),
    )


def _images(path: str, of: str) -> tuple[Route, Route]:
    images, query = rendered.GIVES, rendered.QUERY
    return (
        _get(f"{path}/rendered", rendered.retrieve, f"Images of {of} to look at", images, query),
        _get(f"{path}/thumbnail", rendered.thumbnail, f"A small image of {of}", images, query),
    )


def _get(
    path: str, handler: Handler, summary: str, gives: tuple[str, ...], parameters: tuple[Parameter, ...] = ()
) -> Route:
    return Route(
        method="GET",
        path=path,
        handler=handler,
        scope="read",
        summary=f"{summary} (WADO-RS, PS3.18 10.4)",
        gives=gives,
        parameters=parameters,
    )
