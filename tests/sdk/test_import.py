"""What importing costs, told by the modules that come with it: who has an SDK already waits for next to nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sdk.environments import VERSIONS, python

_SCRIPT = """
import json, sys
{before}
before = set(sys.modules)
from sm_ssh_entry.sdk import Enabled, enable_ssh, enabled
imported = sorted(set(sys.modules) - before)
told = enable_ssh({{"TransformJobName": "a", "TransformInput": {{}}}}, owner="me", public_key="")
used = sorted(set(sys.modules) - before)
print(json.dumps([imported, used]))
"""


def told(interpreter: str, folder: Path, before: str = "") -> tuple[list[str], list[str]]:
    env = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "AWS_DEFAULT_REGION": "eu-west-1"}
    done = subprocess.run(
        [interpreter, "-c", _SCRIPT.format(before=before)],
        env=env,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    assert done.returncode == 0, done.stderr
    imported, used = json.loads(done.stdout)
    return imported, used


def test_importing_brings_no_library_and_neither_does_a_call(tmp_path: Path) -> None:
    imported, used = told(sys.executable, tmp_path)
    for heavy in ("boto3", "botocore", "sagemaker", "click", "rich", "subprocess", "dataclasses", "inspect"):
        assert heavy not in imported
    roots = {name.split(".")[0] for name in used}
    assert roots - set(sys.stdlib_module_names) == {"sm_ssh_entry"}
    assert {name for name in imported if name.startswith("sm_ssh")} == {
        "sm_ssh_entry",
        "sm_ssh_entry.sdk",
        "sm_ssh_entry.sdk.enable",
        "sm_ssh_entry.sdk.state",
    }


@pytest.mark.parametrize("version", VERSIONS)
def test_beside_what_an_sdk_user_has_it_is_our_own_modules_only(version: str, tmp_path: Path) -> None:
    """boto3 is what both SDKs have imported; the SDKs themselves only have more."""
    imported, used = told(python(version), tmp_path, "import boto3, copy, dataclasses, secrets, shlex, subprocess")
    assert {name.split(".")[0] for name in used} == {"sm_ssh_entry"}
    assert len(imported) == 4
