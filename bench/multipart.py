"""The parts of an answer of multipart/related (RFC 2387), for a client that looks at what it got."""


def parts(content_type: str, body: bytes) -> list[bytes]:
    """Bodies of the parts, without their heads; of another media type the one body."""
    if not content_type.lower().startswith("multipart/related"):
        return [body]
    boundary = content_type.partition("boundary=")[2].split(";")[0].strip(' "').encode()
    found = (b"\r\n" + body).split(b"\r\n--" + boundary)[1:-1]
    return [part.partition(b"\r\n\r\n")[2] for part in found]
