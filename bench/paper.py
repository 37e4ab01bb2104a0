"""What the paper published (Kawa et al., Sensors 2022, 22, 8569), beside which our figures stand.

Its machines were other machines (Amazon, several nodes, remote disks): the two say what the same questions gave in two
places, not who is quicker.
"""

from collections.abc import Mapping

from msgspec import Struct


class Published(Struct, frozen=True):
    """A value of the paper, or the range it gives."""

    low: float
    high: float
    text: str


CITATION = "Kawa et al., Design and Implementation of a Cloud PACS Architecture, Sensors 2022, 22, 8569"
FLAT_QUERY = Published(79, 119, "99 ± 20 ms (Figure 8)")
FIND_INSTANCES = Published(87, 123, "105 ± 18 ms; Dcm4chee 104 ± 61 ms")
FIND_FIRST = Published(140, 230, "140 ms; Dcm4chee 230 ms")
CACHE_GAIN = Published(15, 15, "ca. 15 %")
SMALL_INSTANCES = Published(2.9, 3.8, "2.9-3.8 s (1024 MB of 256 kB, 8 threads)")
NO_STALL = Published(0, 0, "none: 'without stalls and interruptions'")

# Table 4: by threads and study size in MB: instances a second, Mbps; the worst and the best case.
TABLE_4: Mapping[int, Mapping[int, tuple[int, int, int, int]]] = {
    4: {
        2: (23, 24, 93, 96),
        4: (25, 25, 100, 102),
        8: (22, 23, 89, 92),
        16: (22, 23, 87, 93),
        32: (22, 23, 88, 90),
        64: (23, 25, 93, 102),
        128: (26, 26, 104, 106),
        256: (26, 28, 105, 114),
        512: (31, 31, 124, 126),
        1024: (28, 28, 112, 113),
    },
    8: {
        2: (48, 67, 193, 269),
        4: (57, 73, 229, 293),
        8: (48, 68, 194, 273),
        16: (49, 65, 197, 262),
        32: (48, 61, 192, 243),
        64: (45, 57, 181, 230),
        128: (51, 53, 204, 213),
        256: (48, 51, 194, 205),
        512: (48, 54, 193, 218),
        1024: (48, 48, 193, 194),
    },
    16: {
        2: (71, 85, 284, 343),
        4: (79, 112, 316, 449),
        8: (81, 102, 325, 409),
        16: (84, 109, 336, 437),
        32: (82, 104, 328, 418),
        64: (77, 104, 310, 420),
        128: (84, 92, 335, 370),
        256: (85, 91, 339, 367),
        512: (86, 93, 347, 373),
        1024: (81, 88, 325, 353),
    },
}


def published(suite: str, case: str, quantity: str) -> Published | None:
    """What the paper says of a row, if it does. Figure 10 is drawn without numbers."""
    if suite == "study-sizes":
        return _of_table_4(case, quantity)
    known = {
        ("flat-query", "answer"): FLAT_QUERY,
        ("find-instances", "answer"): FIND_FIRST if case == "the first" else FIND_INSTANCES,
        ("random-access", "gain over the first pass"): CACHE_GAIN,
        ("replay", "responses later than 2 s"): NO_STALL,
    }
    return None if case.endswith("C-FIND") else known.get((suite, quantity))


def _of_table_4(case: str, quantity: str) -> Published | None:
    threads, _, size = case.partition(" threads, ")
    if size.endswith("of 256 kB"):
        is_asked = quantity == "seconds per 100 instances" and threads == "8"
        return SMALL_INSTANCES if is_asked else None
    least, most, slow, quick = TABLE_4[int(threads)][int(size.removesuffix(" MB"))]
    if quantity == "instances a second":
        return Published(least, most, f"{least}-{most} /s")
    if quantity == "throughput":
        return Published(slow, quick, f"{slow}-{quick} Mbps")
    return None
