"""Each statement about the web fails when a server breaks what it says, and no other does."""

import json
import re

import httpx
import msgspec
import pytest

from bench.statements.subject import Asked
from tests.bench.statements.breaking import (
    DEAR,
    STORING,
    Broken,
    ChangeAnswer,
    ChangeRequest,
    examined,
    failing,
    replaced,
)


@pytest.fixture(scope="module")
def web_alone(asked: Asked) -> Asked:
    return msgspec.structs.replace(asked, dimse=None, move_to="")


def is_search(request: httpx.Request) -> bool:
    return request.method == "GET" and request.url.path.endswith(("/studies", "/series", "/instances"))


def missing_when_empty(request: httpx.Request, answer: httpx.Response) -> httpx.Response:
    if is_search(request) and answer.content == b"[]":
        return replaced(answer, b"", 404)
    return answer


def without(name: str) -> ChangeAnswer:
    """An answer without this header."""

    def change(request: httpx.Request, answer: httpx.Response) -> httpx.Response:
        answer.headers.pop(name, None)
        return answer

    return change


def no_issuer(request: httpx.Request, answer: httpx.Response) -> httpx.Response:
    if not is_search(request) or answer.status_code != 200:
        return answer
    rows = [{tag: one for tag, one in row.items() if tag != "00100021"} for row in json.loads(answer.content)]
    return replaced(answer, json.dumps(rows).encode())


def text_for_numbers(request: httpx.Request, answer: httpx.Response) -> httpx.Response:
    if request.url.path.endswith("/metadata") and b'"DS","Value":[2.5]' in answer.content:
        return replaced(answer, answer.content.replace(b'"DS","Value":[2.5]', b'"DS","Value":["2.5"]'))
    return answer


def other_origin(request: httpx.Request, answer: httpx.Response) -> httpx.Response:
    if request.url.path.endswith("/metadata") and b"BulkDataURI" in answer.content:
        origin = f"{request.url.scheme}://{request.url.netloc.decode()}/"
        return replaced(answer, answer.content.replace(origin.encode(), b"http://127.0.0.1:9/"))
    return answer


def is_multipart(answer: httpx.Response) -> bool:
    return answer.headers.get("content-type", "").startswith("multipart/related")


def other_boundary(request: httpx.Request, answer: httpx.Response) -> httpx.Response:
    if "/frames/" in request.url.path and is_multipart(answer):
        kind = re.sub('boundary="?[^";]*"?', "boundary=wrong", answer.headers["content-type"])
        return replaced(answer, answer.content, content_type=kind)
    return answer


def no_end(request: httpx.Request, answer: httpx.Response) -> httpx.Response:
    if is_multipart(answer):
        return replaced(answer, answer.content.rstrip().removesuffix(b"--"))
    return answer


def item_tags(request: httpx.Request, answer: httpx.Response) -> httpx.Response:
    """A compressed frame with the head of its item."""
    if "/frames/" in request.url.path and b"transfer-syntax=1.2.840.10008.1.2.5\r\n" in answer.content:
        return replaced(answer, answer.content.replace(b"\r\n\r\n", b"\r\n\r\n\xfe\xff\x00\xe0\x42\x01\x00\x00", 1))
    return answer


def sorted_frames(request: httpx.Request) -> httpx.Request:
    path = request.url.path
    if path.endswith("/frames/3,1,2"):
        request.url = request.url.copy_with(path=path.replace("3,1,2", "1,2,3"))
    return request


def refuses_unquoted(request: httpx.Request, answer: httpx.Response) -> httpx.Response:
    if "type=application/octet-stream" in request.headers.get("accept", "") and "/frames/" in request.url.path:
        return replaced(answer, b"", 406)
    return answer


def refuses(status: int, *endings: str, method: str = "GET") -> ChangeAnswer:
    """Requests of paths that end so are answered with a status."""

    def change(request: httpx.Request, answer: httpx.Response) -> httpx.Response:
        path = request.url.raw_path.decode()
        return replaced(answer, b"", status) if request.method == method and path.endswith(endings) else answer

    return change


def always_200(request: httpx.Request, answer: httpx.Response) -> httpx.Response:
    is_store = request.method == "POST" and "/studies" in request.url.path
    return replaced(answer, answer.content, 200) if is_store and answer.status_code in (202, 409) else answer


def changed_object(request: httpx.Request, answer: httpx.Response) -> httpx.Response:
    """The accession number of what is sent as stored is another."""
    accept = request.headers.get("accept", "")
    if 'type="application/dicom"; transfer-syntax=*' in accept and is_multipart(answer):
        return replaced(answer, re.sub(rb"A[A-Z]{6}N1E", b"CHANGED111", answer.content))
    return answer


ANSWERS: dict[str, tuple[ChangeAnswer, set[str]]] = {
    "404 when nothing is found": (missing_when_empty, {"C24", "C25", "C48"}),
    "no Warning": (without("warning"), {"C32"}),
    "no ETag": (without("etag"), {"C33"}),
    "no WWW-Authenticate": (without("www-authenticate"), {"C43"}),
    "no CORS": (without("access-control-allow-origin"), {"C43", "O15", "B07"}),
    "a study's row without its issuer": (no_issuer, {"C29"}),
    "text where numbers stand": (text_for_numbers, {"C31"}),
    "links to another origin": (other_origin, {"C34", "C35", "C50", "B04", "B06", "O10"}),
    "another boundary": (other_boundary, {"C36", "C37", "C38", "B04", "O07", "O08", "O16"}),
    "no closing boundary": (no_end, {"C37"}),
    "item tags in a frame": (item_tags, {"C38"}),
    "unquoted Accept refused": (refuses_unquoted, {"C36", "C37", "C38", "O07", "O16"}),
    "no thumbnails": (refuses(404, "/thumbnail", "/thumbnail?accept=image/jpeg"), {"C41", "O12"}),
    "no OPTIONS": (refuses(404, "/", method="OPTIONS"), {"C50"}),
    "window and viewport refused": (refuses(400, "linear&viewport=8,8"), {"B03"}),
    "200 whatever was stored": (always_200, {"C45", "C46"}),
    "an object that was changed": (changed_object, {"C39"}),
}


# Faults that touch statements which store; the others are asked of the rest alone, in half of the time.
TOUCH_STORING = {"404 when nothing is found", "200 whatever was stored", "no offset"}


def left_out(name: str) -> set[str]:
    """Names of statements that a fault cannot touch."""
    return DEAR if name in TOUCH_STORING else DEAR | STORING


@pytest.mark.parametrize("name", ANSWERS)
def test_a_broken_answer_fails_its_rows_alone(web_alone: Asked, name: str) -> None:
    change, rows = ANSWERS[name]
    assert failing(examined(web_alone, Broken(answer=change), left_out(name))) == rows


def commas_ignored(request: httpx.Request) -> httpx.Request:
    """A list in ``includefield`` is taken as one name that nobody knows."""
    words = request.url.query.decode().split("&")
    kept = [word for word in words if not (word.startswith("includefield=") and ("," in word or "%2C" in word))]
    request.url = request.url.copy_with(query="&".join(kept).encode())
    return request


def stars_encoded(request: httpx.Request) -> httpx.Request:
    """What is percent-encoded is taken as it stands."""
    request.url = request.url.copy_with(query=request.url.query.replace(b"%2A", b"%252A"))
    return request


def no_offset(request: httpx.Request) -> httpx.Request:
    """Every page is the first."""
    request.url = request.url.copy_with(query=re.sub(rb"offset=\d+", b"offset=0", request.url.query))
    return request


def case_matters(request: httpx.Request) -> httpx.Request:
    """A name in small letters finds nobody."""
    if re.search(rb"PatientName=[^&A-Z]*(&|$)", request.url.query):
        request.url = request.url.copy_with(query=request.url.query.replace(b"PatientName=", b"PatientName=zz"))
    return request


def no_gzip(request: httpx.Request) -> httpx.Request:
    request.headers.pop("accept-encoding", None)
    return request


def no_range(request: httpx.Request) -> httpx.Request:
    request.headers.pop("range", None)
    return request


REQUESTS: dict[str, tuple[ChangeRequest, set[str]]] = {
    "comma lists ignored": (commas_ignored, {"B02", "C26"}),
    "stars not decoded": (stars_encoded, {"B01"}),
    "no offset": (no_offset, {"C25"}),
    "case of names matters": (case_matters, {"C27", "O02"}),
    "frames in their own order": (sorted_frames, {"C38"}),
    "nothing is packed": (no_gzip, {"C33"}),
    "no ranges": (no_range, {"C35"}),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_a_misread_question_fails_its_rows_alone(web_alone: Asked, name: str) -> None:
    change, rows = REQUESTS[name]
    assert failing(examined(web_alone, Broken(request=change), left_out(name))) == rows
