"""The table of routes below ``/api/v1``."""

from typing import Any, Final

from protocols.web.rest import changes, deleted, jobs, peers, statistics, studies, versions
from protocols.web.rest.forms import AS_OF, BODY_BYTES_MAX, JSON, ROOT
from protocols.web.routing import Handler, Parameter, Route, Scope

STUDY: Final = f"{ROOT}/studies/{{study}}"
SERIES: Final = f"{STUDY}/series/{{series}}"
INSTANCE: Final = f"{SERIES}/instances/{{instance}}"


def _look(path: str, handler: Handler, summary: str, *parameters: Parameter) -> Route:
    return Route(
        method="GET",
        path=path,
        handler=handler,
        scope="read",
        summary=summary,
        gives=(JSON,),
        parameters=parameters,
    )


def _end(path: str, handler: Handler, scope: Scope, summary: str) -> Route:
    return Route(method="DELETE", path=path, handler=handler, scope=scope, summary=summary, gives=(JSON,))


def _act(path: str, handler: Handler, scope: Scope, summary: str, body: Any = None) -> Route:
    return Route(
        method="POST",
        path=path,
        handler=handler,
        scope=scope,
        summary=summary,
        gives=(JSON,),
        takes=(JSON,) if body is not None else (),
        body_bytes_max=BODY_BYTES_MAX,
        body=body,
    )


ROUTES: Final = (
    _look(f"{ROOT}/studies", studies.studies, "Studies with counts, sizes and conflicts", *studies.PARAMETERS),
    _look(STUDY, studies.study, "A study with its series", AS_OF),
    _look(f"{STUDY}/versions", versions.versions, "Instances of a study with more than one version"),
    _act(f"{INSTANCE}/promote", versions.promote, "admin", "Make a version the current one", versions.Promotion),
    *(
        _act(f"{path}/restore", deleted.restore, "delete", f"Bring back what was deleted of {of}", deleted.Restoring)
        for path, of in ((STUDY, "a study"), (SERIES, "a series"), (INSTANCE, "an instance"))
    ),
    Route(
        method="GET",
        path=f"{ROOT}/changes",
        handler=changes.changes,
        scope="read",
        summary="What was stored and decided, in order: a page, or events as they come",
        gives=changes.GIVES,
        parameters=changes.PARAMETERS,
        waits=True,
    ),
    _look(f"{ROOT}/deleted", deleted.deleted, "What can be restored, and until when", *deleted.PARAMETERS),
    _look(f"{ROOT}/peers", peers.peers, "Known peers"),
    _act(f"{ROOT}/peers", peers.add, "admin", "Make a peer known, or change it", peers.Named),
    _end(f"{ROOT}/peers/{{ae_title}}", peers.remove, "admin", "Forget a peer"),
    _act(f"{ROOT}/peers/{{ae_title}}/echo", peers.echo, "admin", "C-ECHO to a known peer"),
    _look(f"{ROOT}/jobs", jobs.jobs, "Jobs that are remembered: in memory, until the node ends"),
    _act(f"{ROOT}/jobs", jobs.begin, "admin", "Begin a job: send to a known peer, verify, reindex", jobs.Asked),
    _look(f"{ROOT}/jobs/{{job}}", jobs.job, "A job with its findings"),
    _end(f"{ROOT}/jobs/{{job}}", jobs.cancel, "admin", "Cancel a job"),
    _look(f"{ROOT}/statistics", statistics.statistics, "What the archive holds, by modality"),
    _look(f"{ROOT}/status", statistics.status, "Figures of the node"),
    _look(f"{ROOT}/history", statistics.history, "The same figures over the last minutes, to draw"),
)
