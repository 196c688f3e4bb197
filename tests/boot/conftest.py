from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.boot.container import Container
from tests.boot.fake_ssm import FakeSsm


@pytest.fixture
def ssm() -> Iterator[FakeSsm]:
    fake = FakeSsm()
    yield fake
    fake.stop()


@pytest.fixture
def container(tmp_path: Path, ssm: FakeSsm) -> Iterator[Container]:
    made = Container(tmp_path, ssm.url)
    yield made
    made.close()
