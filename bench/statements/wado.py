"""Whole objects and images to look at (PS3.18 10.4, 9): C39 to C43, B03, B07."""

from urllib.parse import urlencode, urlsplit

from bench.statements import pictures
from bench.statements.answers import Answer
from bench.statements.collection import PDF
from bench.statements.objects import RLE, body_of
from bench.statements.statement import DATA, ORIGIN, TOKEN, WEB, Family, Untried, holds, same
from bench.statements.subject import Subject
from bench.statements.web import ANY_FRAME, AS_STORED, MULTIPART_DICOM

family = Family()
states = family.states

NAVIGATION = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"  # of an <object> in a page
MPEG2 = "1.2.840.10008.1.2.4.100"
LEFT_COUNT = 8
SIGNATURES = {"image/jpeg": b"\xff\xd8\xff", "image/png": b"\x89PNG\r\n"}


@states("C39", needs={WEB, DATA})
async def objects_as_stored(subject: Subject) -> None:
    """transfer-syntax=* is the data set as it was stored, of an instance, a series, a study."""
    made = subject.made
    for one in (made.rle, made.jpeg, made.ct[0]):
        part = (await subject.web.get(one.path, AS_STORED)).part()
        same(body_of(part.body), one.body, f"the data set in {one.syntax}")
    first = made.ct[0]
    series = await subject.web.get(f"/studies/{first.study}/series/{first.series}", AS_STORED)
    same(sorted(body_of(part.body) for part in series.parts()), sorted(one.body for one in made.ct), "the series")
    study = await subject.web.get(f"/studies/{first.study}", AS_STORED)
    same(
        sorted(body_of(part.body) for part in study.parts()), sorted(one.body for one in made.ct + made.mr), "the study"
    )


@states("C39", needs={WEB, DATA})
async def explicit_objects_by_default(subject: Subject) -> None:
    """By default an object comes as Explicit VR Little Endian."""
    for accept in (MULTIPART_DICOM, "*/*"):
        part = (await subject.web.get(subject.made.rle.path, accept)).part()
        same(part.media_type, "application/dicom", f"Accept {accept}: media type of the part")
        holds(pictures.RAMP in part.body, f"Accept {accept}: the pixels of an RLE image are not unfolded")


@states("C39", needs={WEB, DATA})
async def one_object_alone(subject: Subject) -> None:
    """One instance comes alone when application/dicom is asked."""
    made = subject.made.rle
    answer = (await subject.web.get(made.path, f"application/dicom; transfer-syntax={RLE}")).expect(200)
    same(answer.media_type, "application/dicom", "Content-Type")
    same(body_of(answer.body), made.body, "the object")


@states("C39", needs={WEB, DATA})
async def what_cannot_be_made(subject: Subject) -> None:
    """A transfer syntax that cannot be made is 406."""
    asked = f"{MULTIPART_DICOM}; transfer-syntax={MPEG2}"
    (await subject.web.get(subject.made.ct[0].path, asked)).expect(406)


@states("C40", needs={WEB, DATA})
async def parts_have_lengths(subject: Subject) -> None:
    """Each part of a study has a Content-Length, and it is right."""
    answer = await subject.web.get(f"/studies/{subject.made.ct[0].study}", AS_STORED)
    for part in answer.parts():
        same(part.headers.get("content-length", "none"), str(len(part.body)), "Content-Length of a part")


@states("C40", needs={WEB, DATA})
async def gone_clients_hold_nothing(subject: Subject) -> None:
    """Clients that leave in the middle of a study leave the server free for others."""
    path = f"/studies/{subject.made.bulky.study}"
    for _ in range(LEFT_COUNT):
        async with subject.web.stream(path, AS_STORED) as response:
            holds(response.status_code == 200, f"{response.status_code}")
            async for _piece in response.aiter_raw(1024):
                break
    (await subject.web.get(path, AS_STORED)).parts()


def is_image(answer: Answer, kind: str) -> None:
    """Raises Unmet unless it is a picture of this type."""
    same((answer.expect(200).media_type, answer.body[: len(SIGNATURES[kind])]), (kind, SIGNATURES[kind]), answer.asked)


def png_size(answer: Answer) -> tuple[int, int]:
    """Width and height."""
    return int.from_bytes(answer.body[16:20], "big"), int.from_bytes(answer.body[20:24], "big")


@states("C41", needs={WEB, DATA})
async def images_to_look_at(subject: Subject) -> None:
    """rendered gives JPEG and PNG, by quality, viewport, window and frame."""
    path = f"{subject.made.ct[0].path}/rendered"
    for query in ("", "?quality=50", "?window=128,256,linear"):
        is_image(await subject.web.get(path + query, "image/jpeg"), "image/jpeg")
    is_image(await subject.web.get(path, "image/png"), "image/png")
    small = await subject.web.get(f"{path}?viewport=8,8", "image/png")
    is_image(small, "image/png")
    same(png_size(small), (8, 8), "viewport=8,8")
    is_image(await subject.web.get(f"{subject.made.frames.path}/frames/2/rendered", "image/jpeg"), "image/jpeg")


@states("C41", needs={WEB, DATA})
async def thumbnails(subject: Subject) -> None:
    """thumbnail of a study, a series, an instance."""
    made = subject.made.ct[0]
    for path in (f"/studies/{made.study}", f"/studies/{made.study}/series/{made.series}", made.path):
        is_image(await subject.web.get(f"{path}/thumbnail", "image/jpeg"), "image/jpeg")


@states("C41", "O11", needs={WEB, DATA})
async def documents_and_videos(subject: Subject) -> None:
    """rendered gives an encapsulated PDF as application/pdf and a video as video/mp4, whatever a browser accepts."""
    for accept in (NAVIGATION, "*/*"):
        answer = (await subject.web.get(f"{subject.made.pdf.path}/rendered", accept)).expect(200)
        same((answer.media_type, answer.body[: len(PDF)]), ("application/pdf", PDF), "the document")
    video = (await subject.web.get(f"{subject.made.video.path}/rendered", NAVIGATION)).expect(200)
    same((video.media_type, video.body[:16]), ("video/mp4", pictures.video()[:16]), "the video")


@states("B03", needs={WEB, DATA})
async def window_and_viewport_together(subject: Subject) -> None:
    """window and viewport together."""
    path = f"{subject.made.ct[0].path}/rendered?window=128,256,linear&viewport=8,8"
    is_image(await subject.web.get(path, "image/jpeg"), "image/jpeg")


async def wado_uri(subject: Subject, accept: str, **named: str) -> Answer:
    """A request of WADO-URI; Untried when nothing answers where it usually is."""
    root = urlsplit(subject.web.root)
    place = subject.asked.wado_uri or f"{root.scheme}://{root.netloc}/wado"
    answer = await subject.web.get(f"{place}?{urlencode({'requestType': 'WADO', **named}, safe='/*')}", accept)
    if answer.status == 404 and not subject.asked.wado_uri:
        raise Untried(f"nothing is at {place}: --wado-uri URL says where WADO-URI is")
    return answer


@states("C42", "O13", needs={WEB, DATA})
async def wado_uri_objects(subject: Subject) -> None:
    """WADO-URI gives objects as stored, whatever the header says; the object's UID is enough."""
    made = subject.made.rle
    stored = {"objectUID": made.sop, "contentType": "application/dicom", "transferSyntax": "*"}
    for names in ({"studyUID": made.study, "seriesUID": made.series}, {}):
        for accept in ("*/*", ANY_FRAME):
            answer = (await wado_uri(subject, accept, **names, **stored)).expect(200)
            same(answer.media_type, "application/dicom", "Content-Type")
            same(body_of(answer.body), made.body, "the object")


@states("C42", needs={WEB, DATA})
async def wado_uri_images(subject: Subject) -> None:
    """WADO-URI gives JPEG, with rows and columns."""
    made = subject.made.ct[0]
    named = {"studyUID": made.study, "seriesUID": made.series, "objectUID": made.sop, "contentType": "image/jpeg"}
    is_image(await wado_uri(subject, "*/*", **named), "image/jpeg")
    is_image(await wado_uri(subject, "*/*", **named, rows="8", columns="8"), "image/jpeg")


@states("C43", "O15", "B07", needs={WEB, ORIGIN})
async def preflights(subject: Subject) -> None:
    """A page of an allowed origin may upload, send long Accept headers and a token: OPTIONS says so."""
    origin = subject.asked.origin
    frame = f"{subject.made.frames.path}/frames/1"
    for path, method, header in (
        ("/studies", "POST", "content-type"),
        (frame, "GET", "accept"),
        (frame, "GET", "range"),
    ):
        said = {
            "Origin": origin,
            "Access-Control-Request-Method": method,
            "Access-Control-Request-Headers": f"{header},authorization",
        }
        answer = (await subject.web.ask("OPTIONS", path, said, with_token=False)).expect(200, 204)
        allowed = answer.headers.get("access-control-allow-origin", "none")
        holds(allowed in (origin, "*"), f"Access-Control-Allow-Origin: {allowed}")
        methods = answer.headers.get("access-control-allow-methods", "")
        holds(method in methods or "*" in methods, f"Access-Control-Allow-Methods: {methods or 'none'}")
        headers = {one.strip().lower() for one in answer.headers.get("access-control-allow-headers", "").split(",")}
        holds({header, "authorization"} <= headers, f"Access-Control-Allow-Headers: {', '.join(sorted(headers))}")
    plain = (await subject.web.get("/studies?limit=1", Origin=origin)).expect(200)
    holds(plain.headers.get("access-control-allow-origin") in (origin, "*"), "a GET is not allowed to the origin")


@states("C43", needs={WEB, TOKEN})
async def no_token(subject: Subject) -> None:
    """Without the token: 401 and WWW-Authenticate: Bearer; a token in the query opens nothing."""
    for path in ("/studies?limit=1", f"/studies?limit=1&access_token={subject.web.token}"):
        answer = await subject.web.ask("GET", path, with_token=False)
        holds(answer.status == 401, f"without the header Authorization: {answer.status}")
        said = answer.headers.get("www-authenticate", "none")
        holds(said.startswith("Bearer"), f"WWW-Authenticate: {said}")
