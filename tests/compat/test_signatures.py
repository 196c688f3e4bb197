"""What people's code calls is there, with the same parameters in the same places and the same defaults.

``signatures.txt`` holds names and parameters of SageMaker SSH Helper 2.3.0, module by module, as facts: what of it is
not there, docs/moving.md says.
"""

from __future__ import annotations

import importlib
import inspect
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from sm_ssh_entry import compat

TABLE = Path(__file__).with_name("signatures.txt")
PACKAGE = "sm_ssh_entry.compat.sagemaker_ssh_helper"
HEAVY = {"boto3", "botocore", "click", "rich", "sagemaker"}


def table() -> Iterator[tuple[str, str]]:
    module = ""
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            module = line.strip("[]")
        else:
            yield module, line


def parameters(function: object) -> str:
    """Write parameters as the table has them."""
    assert callable(function)
    words = []
    for one in inspect.signature(function).parameters.values():
        default = str(one.default) if isinstance(one.default, timedelta) else repr(one.default)
        words.append(one.name if one.default is inspect.Parameter.empty else f"{one.name}={default}")
    return ", ".join(words)


@pytest.mark.parametrize("module", sorted({module for module, _ in table()}))
def test_functions_have_the_parameters_that_callers_know(module: str) -> None:
    loaded = importlib.import_module(f"{PACKAGE}.{module}")
    wanted, found = [], []
    for name, line in table():
        if name != module:
            continue
        owner, _, rest = line.partition(".")
        method = rest.partition("(")[0]
        holder = getattr(loaded, owner)
        bound = inspect.getattr_static(holder, method)
        text = parameters(getattr(holder, method))
        if not isinstance(bound, (classmethod, staticmethod)):
            text = text.removeprefix("self").removeprefix(", ")
        wanted.append(line)
        found.append(f"{owner}.{method}({text})")
    assert found == wanted


def test_the_folder_on_the_path_is_all_that_unchanged_code_needs(tmp_path: Path) -> None:
    printed = subprocess.run([sys.executable, "-m", "sm_ssh_entry.compat"], capture_output=True, text=True, check=True)
    folder = printed.stdout.strip()
    assert folder == str(Path(compat.__file__).parent)
    modules = sorted({module for module, _ in table()})
    script = "\n".join(
        [
            "import sys",
            "from sagemaker_ssh_helper.wrapper import SSHEstimatorWrapper, SSMProxy",
            *(f"import sagemaker_ssh_helper.{module}" for module in modules),
            f"print(sorted(set(name.partition('.')[0] for name in sys.modules) & {HEAVY!r}))",
        ]
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": folder},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")
