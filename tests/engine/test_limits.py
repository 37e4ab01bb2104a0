"""Limits fit together; settings are refused with a reason."""

import msgspec
import pytest

from engine.errors import Invalid
from engine.limits import LIMITS, MIB, Limits
from engine.settings import StoreSettings


@pytest.mark.parametrize(
    "wrong",
    [
        {"gather_bytes_max": LIMITS.segment_bytes},
        {"object_bytes_max": 1},
        {"batch_bytes_max": LIMITS.batch_unfolded_bytes_max},
        {"read_bytes": MIB + 1},
        {"pending_files_max": 0},
        {"batch_records_max": 0},
    ],
)
def test_limits_that_do_not_fit_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must hold that"):
        Limits(**wrong)


def test_the_store_has_sound_defaults() -> None:
    settings = StoreSettings()
    assert (settings.ack, settings.checkpoint, settings.grace_days) == ("disk", "auto", 30)
    assert settings.intake_bytes_max == 1 << 30


@pytest.mark.parametrize("wrong", [{"url": ""}, {"intake_bytes_max": 1}, {"grace_days": -1}])
def test_wrong_settings_name_themselves(wrong: dict[str, object]) -> None:
    with pytest.raises(Invalid, match=f"store.{next(iter(wrong))}"):
        StoreSettings(**wrong)  # type: ignore[arg-type]


def test_unknown_and_misspelt_settings_are_refused() -> None:
    for wrong in ({"ackk": "disk"}, {"ack": "maybe"}, {"checkpoint": "never"}):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(wrong, StoreSettings)
