"""Every route with every token: what each may do is written down here by hand, for all of them (H46)."""

import pytest

from protocols.web import Holder, Lock, Scope
from protocols.web.routes import ROUTES
from tests.protocols.web.serving import Served, serving
from tests.protocols.web.studies import ROOT, file_of, instance

SCOPES: tuple[Scope, ...] = ("read", "write", "delete", "admin")
HOLDERS = {scope: Holder(scope, frozenset({scope})) for scope in SCOPES}
LOCK = Lock(HOLDERS.get)
STUDY, SERIES = "/dicomweb/studies/{study}", "/dicomweb/studies/{study}/series/{series}"
INSTANCE = f"{SERIES}/instances/{{instance}}"
WORKITEMS, WORKITEM = "/dicomweb/workitems", "/dicomweb/workitems/{workitem}"
API = "/api/v1"
API_SERIES = f"{API}/studies/{{study}}/series/{{series}}"

# Whatever is not named here reads. `admin` may do all.
NEEDED: dict[tuple[str, str], Scope] = {
    ("POST", "/dicomweb/studies"): "write",
    ("POST", STUDY): "write",
    ("DELETE", STUDY): "delete",
    ("DELETE", SERIES): "delete",
    ("DELETE", INSTANCE): "delete",
    ("POST", f"{API_SERIES}/instances/{{instance}}/promote"): "admin",
    ("POST", f"{API}/studies/{{study}}/restore"): "delete",
    ("POST", f"{API_SERIES}/restore"): "delete",
    ("POST", f"{API_SERIES}/instances/{{instance}}/restore"): "delete",
    ("POST", f"{API}/peers"): "admin",
    ("DELETE", f"{API}/peers/{{ae_title}}"): "admin",
    ("POST", f"{API}/peers/{{ae_title}}/echo"): "admin",
    ("POST", f"{API}/jobs"): "admin",
    ("DELETE", f"{API}/jobs/{{job}}"): "admin",
    ("POST", WORKITEMS): "write",
    ("POST", WORKITEM): "write",
    ("PUT", f"{WORKITEM}/state"): "write",
    ("POST", f"{WORKITEM}/cancelrequest"): "write",
    ("POST", f"{WORKITEM}/subscribers/{{ae_title}}"): "write",
    ("DELETE", f"{WORKITEM}/subscribers/{{ae_title}}"): "write",
    ("POST", f"{WORKITEM}/subscribers/{{ae_title}}/suspend"): "write",
}
# Pages, and what they are made of: the program, nothing of what is kept. A browser shows no token when it goes there.
OPEN = {"/ohif", "/ohif/{path*}", "/", "/page/files/{path*}"}
GUARDED = [one for one in ROUTES if one.path not in OPEN]
VALUES = {
    "study": f"{ROOT}.1", "series": f"{ROOT}.1.1", "instance": f"{ROOT}.1.1.1", "frames": "1", "path*": "00100010",
    "ae_title": "NONE", "job": "none", "workitem": "1.2",
}  # fmt: skip


def path_of(path: str, **other: str) -> str:
    for name, value in (VALUES | other).items():
        path = path.replace(f"{{{name}}}", value)
    assert "{" not in path
    return path


def test_every_line_of_the_table_is_a_route() -> None:
    assert NEEDED.keys() <= {(one.method, one.path) for one in ROUTES}
    assert {one.path for one in ROUTES if one.is_page} == OPEN
    assert all(one.method in ("GET", "OPTIONS") for one in ROUTES if (one.method, one.path) not in NEEDED)


@pytest.mark.parametrize("scope", SCOPES)
def test_h46_a_token_may_do_what_its_scope_says_and_nothing_else(scope: Scope) -> None:
    """What it may do may fail for what is missing; it is never 401 or 403. HEAD is as GET."""

    async def check(served: Served) -> None:
        for route in GUARDED:
            needed = NEEDED.get((route.method, route.path), "read")
            for method in (route.method, "HEAD") if route.method == "GET" else (route.method,):
                url = (
                    f"http://127.0.0.1:{served.port}{path_of(route.path, study='9.9' if method == 'DELETE' else '1.2')}"
                )
                answer = await served.client.request(method, url, headers={"Authorization": f"Bearer {scope}"})
                if scope in (needed, "admin"):
                    assert answer.status_code not in (401, 403, 405), (method, url)
                    continue
                assert answer.status_code == 403, (method, url)
                assert f'scope="{needed}"' in answer.headers["www-authenticate"]
        assert len((await served.client.get("/studies", headers={"Authorization": "Bearer admin"})).json()) == 1

    serving(check, file_of(instance(1)), guard=LOCK)


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer ended"}, {"Authorization": "Bearer write"}])
def test_h46_what_is_here_and_what_is_not_are_refused_alike(headers: dict[str, str]) -> None:
    """Who may not look learns nothing: not by the status, not by a byte, not by a header."""

    async def check(served: Served) -> None:
        for route in GUARDED:
            told = []
            for study in (f"{ROOT}.1", "9.9.9"):
                url = f"http://127.0.0.1:{served.port}{path_of(route.path, study=study)}"
                answer = await served.client.request(route.method, url, headers=headers)
                told.append((answer.status_code, answer.content, sorted(answer.headers.items())))
            if "write" in headers.get("Authorization", "") and NEEDED.get((route.method, route.path)) == "write":
                continue
            assert told[0][0] in (401, 403), route.path
            assert without_date(told[0]) == without_date(told[1]), route.path

    serving(check, file_of(instance(1)), guard=LOCK)


def without_date(told: tuple[int, bytes, list[tuple[str, str]]]) -> tuple[int, bytes, list[tuple[str, str]]]:
    status, content, headers = told
    return status, content, [pair for pair in headers if pair[0] != "date"]
