"""Bytes to requests and replies to bytes: HTTP/1.1 over sockets and TLS. Knows no DICOM."""
