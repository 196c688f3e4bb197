from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sm_ssh_entry.boot import environment
from sm_ssh_entry.contract import Paths


def test_given_is_byte_for_byte_and_undoes_what_the_stub_set_aside() -> None:
    env = {b"A": b"\xff\n=x", b"EMPTY": b"", b"SM_SSH_KEPT_LD_PRELOAD": b"/lib/x.so", b"PATH": b"/usr/bin"}
    code = "from sm_ssh_entry.boot import environment; import os; os.write(1, repr(environment.given()).encode())"
    done = subprocess.run([sys.executable, "-I", "-c", code], env=env, capture_output=True, check=True)
    expected = {b"A": b"\xff\n=x", b"EMPTY": b"", b"LD_PRELOAD": b"/lib/x.so", b"PATH": b"/usr/bin"}
    # In the C locale Python adds LC_CTYPE to its own environment; the command must not see that.
    assert eval(done.stdout) == expected


def test_without_proc_it_is_what_python_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOMETHING", "x")
    assert environment.given("/no/such/file")[b"SOMETHING"] == b"x"


def test_text_and_bytes_are_the_same() -> None:
    variables = {b"A": b"\xff\xfe", b"B": "é".encode()}
    assert {os.fsencode(name): os.fsencode(value) for name, value in environment.text(variables).items()} == variables


def test_ours_sets_the_linkers_variables_aside() -> None:
    variables = {b"LD_PRELOAD": b"x", b"LD_LIBRARY_PATH": b"y", b"OTHER": b"z"}
    apart = environment.ours(variables)
    assert set(apart) == {b"SM_SSH_KEPT_LD_PRELOAD", b"SM_SSH_KEPT_LD_LIBRARY_PATH", b"OTHER"}


def test_snapshot_is_what_env_0_prints() -> None:
    assert environment.snapshot({b"A": b"1\n2", b"B": b""}) == b"A=1\n2\0B=\0"


def test_services_get_a_list_of_their_own(tmp_path: Path) -> None:
    env = {
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/x",
        "AWS_ROLE_ARN": "x",
        "AWS_ENDPOINT_URL_SSM": "http://127.0.0.1:1",
        "AWS_REGION": "r",
        "AWS_CA_BUNDLE": "/ca",
        "SM_SSH_AGENT_PACE": "official",
        "PYTHONPATH": "/x",
        "LD_PRELOAD": "/x",
        "PATH": "/job",
        "HOME": "/home/job",
        "SECRET": "x",
    }
    clean = environment.service(env, Paths(str(tmp_path)))
    assert clean == {
        "AWS_ENDPOINT_URL_SSM": "http://127.0.0.1:1",
        "AWS_REGION": "r",
        "AWS_CA_BUNDLE": "/ca",
        "SSL_CERT_FILE": "/ca",
        "SM_SSH_AGENT_PACE": "official",
        "PATH": environment.SERVICE_PATH,
        "HOME": "/home/job",
        "AWS_SHARED_CREDENTIALS_FILE": f"{tmp_path}/run/sm-ssh/node-credentials",
    }
