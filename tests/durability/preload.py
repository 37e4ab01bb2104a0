"""What the fork server imports first: the engine under small limits, so that little crosses every border.

Never imported by pytest itself, where the limits stay as they are.
"""

import importlib
import sys
from pathlib import Path
from types import ModuleType

# The limits are set before any other module of the engine can bind them: its door, which imports all, waits outside.
_door = ModuleType("engine")
_door.__path__ = [str(Path(__file__).parents[2] / "engine")]
sys.modules["engine"] = _door
limits = importlib.import_module("engine.limits")
KIB, MIB = limits.KIB, limits.MIB
limits.LIMITS = limits.Limits(
    gather_bytes_max=64 * KIB,
    object_bytes_max=64 * MIB,
    segment_bytes=MIB,
    pending_files_max=24,
    batch_records_max=8,
    batch_bytes_max=256 * KIB,
    reserve_bytes=16 * MIB,
    spill_retry_seconds=0.1,
    close_refused_seconds_max=0.5,
)

del sys.modules["engine"]
for name in ("engine", "tests.durability.cellar", "tests.durability.stowed", "tests.durability.host"):
    importlib.import_module(name)
