"""Region and profile: option, name, alias, environment, AWS's own files; who counts before whom."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sm_ssh_entry import aws
from sm_ssh_entry.connect import names
from sm_ssh_entry.connect.access import Reach
from sm_ssh_entry.connect.ssh_settings import of_now

NAME = "j.training.sagemaker"
FILES = """\
[default]
region = eu-north-1
[profile work]
region = eu-west-3
[profile nowhere]
"""


@pytest.fixture(autouse=True)
def config(home: Path) -> Iterator[None]:
    """The files of AWS: two profiles with a region, one without."""
    (home / ".aws").mkdir()
    (home / ".aws/config").write_text(FILES)
    aws._session.cache_clear()
    yield
    aws._session.cache_clear()


@pytest.mark.parametrize(
    ("name", "reach", "environment", "expected"),
    [
        (NAME, Reach(), {}, "eu-north-1"),
        (NAME, Reach(), {"AWS_PROFILE": "work"}, "eu-west-3"),
        (NAME, Reach(profile="work"), {}, "eu-west-3"),
        (NAME, Reach(profile="work"), {"AWS_PROFILE": "default"}, "eu-west-3"),
        (NAME, Reach(profile="nowhere"), {}, ""),
        (NAME, Reach(), {"AWS_DEFAULT_REGION": "sa-east-1"}, "sa-east-1"),
        (NAME, Reach(profile="work"), {"AWS_DEFAULT_REGION": "sa-east-1"}, "sa-east-1"),
        (NAME, Reach(), {"AWS_DEFAULT_REGION": "sa-east-1", "AWS_REGION": "ap-south-1"}, "ap-south-1"),
        (NAME + "@us-west-2", Reach(), {"AWS_REGION": "ap-south-1"}, "us-west-2"),
        (NAME + "@us-west-2", Reach(region="us-east-2"), {"AWS_REGION": "ap-south-1"}, "us-east-2"),
    ],
)
def test_which_region(
    monkeypatch: pytest.MonkeyPatch, name: str, reach: Reach, environment: dict[str, str], expected: str
) -> None:
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    target = names.parse(name)
    assert reach.towards(target).effective_region == expected
    # An alias made now holds the same, and keeps it whatever the environment says later.
    kept = of_now(reach, target)
    monkeypatch.setenv("AWS_REGION", "ca-central-1")
    monkeypatch.setenv("AWS_PROFILE", "nowhere")
    if expected:
        assert kept.towards(names.parse(NAME)).effective_region == expected


@pytest.mark.parametrize(
    ("reach", "environment", "expected"),
    [
        (Reach(), {}, None),
        (Reach(), {"AWS_PROFILE": "work"}, "work"),
        (Reach(profile="default"), {"AWS_PROFILE": "work"}, "default"),
    ],
)
def test_which_profile_an_alias_holds(
    monkeypatch: pytest.MonkeyPatch, reach: Reach, environment: dict[str, str], expected: str | None
) -> None:
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    assert of_now(reach, names.parse(NAME)).profile == expected
