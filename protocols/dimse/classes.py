"""The SOP classes and transfer syntaxes that decide an association (PS3.4 B.5, C.6.1, C.6.2, J.3; PS3.5 10, A)."""

IMPLICIT_LITTLE = "1.2.840.10008.1.2"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"

VERIFICATION = "1.2.840.10008.1.1"
PATIENT_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.1.1"
PATIENT_ROOT_MOVE = "1.2.840.10008.5.1.4.1.2.1.2"
PATIENT_ROOT_GET = "1.2.840.10008.5.1.4.1.2.1.3"
STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
STUDY_ROOT_MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
STUDY_ROOT_GET = "1.2.840.10008.5.1.4.1.2.2.3"

COMMITMENT = "1.2.840.10008.1.20.1"
COMMITMENT_INSTANCE = "1.2.840.10008.1.20.1.1"

FIND = frozenset({PATIENT_ROOT_FIND, STUDY_ROOT_FIND})
MOVE = frozenset({PATIENT_ROOT_MOVE, STUDY_ROOT_MOVE})
GET = frozenset({PATIENT_ROOT_GET, STUDY_ROOT_GET})
PATIENT_ROOT = frozenset({PATIENT_ROOT_FIND, PATIENT_ROOT_MOVE, PATIENT_ROOT_GET})
SERVICES = frozenset({VERIFICATION, COMMITMENT}) | FIND | MOVE | GET

SERVICE_SYNTAXES = frozenset({EXPLICIT_LITTLE, IMPLICIT_LITTLE})

STANDARD_ROOT = "1.2.840.10008."
STORAGE_ROOT = "1.2.840.10008.5.1.4.1.1."

# Storage classes of the standard outside STORAGE_ROOT: hardcopy, RT delivery, hanging protocols, palettes, implants.
_STORAGE_ELSEWHERE = frozenset(
    {
        "1.2.840.10008.5.1.1.27",
        "1.2.840.10008.5.1.1.29",
        "1.2.840.10008.5.1.1.30",
        "1.2.840.10008.5.1.4.34.1",
        "1.2.840.10008.5.1.4.34.7",
        "1.2.840.10008.5.1.4.34.10",
        "1.2.840.10008.5.1.4.38.1",
        "1.2.840.10008.5.1.4.39.1",
        "1.2.840.10008.5.1.4.43.1",
        "1.2.840.10008.5.1.4.44.1",
        "1.2.840.10008.5.1.4.45.1",
    }
)

# Storage classes below STORAGE_ROOT, current and retired (PS3.6 A): what is known when unknown ones are not accepted.
_STORAGE_TAILS = (
    "1 1.1 1.1.1 1.2 1.2.1 1.3 1.3.1 2 2.1 2.2 3 3.1 4 4.1 4.2 4.3 4.4 5 6 6.1 6.2 6.3 7 7.1 7.2 7.3 7.4 8 9 9.1 "
    "9.1.1 9.1.2 9.1.3 9.1.4 9.2.1 9.3.1 9.4.1 9.4.2 9.5.1 9.6.1 9.6.2 9.7.1 9.7.2 9.7.3 9.7.4 9.8.1 10 11 11.1 11.2 "
    "11.3 11.4 11.5 11.6 11.7 11.8 11.9 11.10 11.11 11.12 12.1 12.1.1 12.2 12.2.1 12.3 12.77 13.1.1 13.1.2 13.1.3 "
    "13.1.4 13.1.5 14.1 14.2 20 30 40 66 66.1 66.2 66.3 66.4 66.5 66.6 67 68.1 68.2 77.1 77.2 77.1.1 77.1.1.1 77.1.2 "
    "77.1.2.1 77.1.3 77.1.4 77.1.4.1 77.1.5.1 77.1.5.2 77.1.5.3 77.1.5.4 77.1.5.5 77.1.5.6 77.1.5.7 77.1.5.8 77.1.6 "
    "77.1.7 77.1.8 77.1.9 78.1 78.2 78.3 78.4 78.5 78.6 78.7 78.8 79.1 80.1 81.1 82.1 88.1 88.2 88.3 88.4 88.11 88.22 "
    "88.33 88.34 88.35 88.40 88.50 88.59 88.65 88.67 88.68 88.69 88.70 88.71 88.72 88.73 88.74 88.75 88.76 88.77 90.1 "
    "91.1 104.1 104.2 104.3 104.4 104.5 128 128.1 129 130 131 200.1 200.2 200.3 200.4 200.5 200.6 200.7 200.8 201.1 "
    "201.2 201.3 201.4 201.5 201.6 481.1 481.2 481.3 481.4 481.5 481.6 481.7 481.8 481.9 481.10 481.11 481.12 481.13 "
    "481.14 481.15 481.16 481.17 481.18 481.19 481.20 481.21 481.22 481.23 481.24 481.25 501.1 501.2.1 501.2.2 501.3 "
    "501.4 501.5 501.6 601.1 601.2"
)
KNOWN_STORAGE = frozenset(STORAGE_ROOT + tail for tail in _STORAGE_TAILS.split()) | _STORAGE_ELSEWHERE

_IMAGE_TAILS = (
    "2 2.1 2.1.98 2.1.99 2.2 2.5 2.4.50 2.4.51 2.4.52 2.4.53 2.4.54 2.4.55 2.4.56 2.4.57 2.4.58 2.4.59 2.4.60 2.4.61 "
    "2.4.62 2.4.63 2.4.64 2.4.65 2.4.66 2.4.70 2.4.80 2.4.81 2.4.90 2.4.91 2.4.92 2.4.93 2.4.94 2.4.95 2.4.100 "
    "2.4.100.1 2.4.101 2.4.101.1 2.4.102 2.4.102.1 2.4.103 2.4.103.1 2.4.104 2.4.104.1 2.4.105 2.4.105.1 2.4.106 "
    "2.4.106.1 2.4.107 2.4.108 2.4.201 2.4.202 2.4.203 2.4.204 2.4.205"
)
# GE's private syntax (Implicit VR Little Endian with big endian pixels) is kept byte for byte like the others.
GE_IMPLICIT_BIG_PIXELS = "1.2.840.113619.5.2"
STORAGE_SYNTAXES = frozenset("1.2.840.10008.1." + tail for tail in _IMAGE_TAILS.split()) | {GE_IMPLICIT_BIG_PIXELS}


def is_storage(sop_class_uid: str, accept_unknown: bool) -> bool:
    """Whether instances of this class are kept: known classes, and unknown or private ones when the setting says so."""
    if sop_class_uid in KNOWN_STORAGE:
        return True
    if not accept_unknown:
        return False
    return sop_class_uid.startswith(STORAGE_ROOT) or not sop_class_uid.startswith(STANDARD_ROOT)
