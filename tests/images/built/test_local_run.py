"""Jobs of ``sm-ssh local run --image``: real containers on a network of their own, and the plane on it with them."""

from __future__ import annotations

import json
import signal
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.images.built import engine, family
from tests.images.built.local_runs import PYTHON, Runs, docker_that, words_of

pytestmark = pytest.mark.images(family.BASE_12)

TRAIN = """\
COPY --chmod=755 <<'EOF' /usr/local/bin/train
#!/bin/sh
cat /opt/ml/input/data/train/part-0 >/opt/ml/model/model.txt
echo "trained as $(hostname) on $(ls /opt/ml/input/data)"
sleep "${TRAIN_SECONDS:-0}"
EOF
"""
SERVE = f"""\
COPY --chmod=755 <<'EOF' /usr/local/bin/serve
#!{PYTHON} -I
import http.server, os, signal
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/ping" else 404)
        self.end_headers()
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(open("/opt/ml/model/name", "rb").read())
    def log_message(self, *words): pass
def stop(*words):
    print("stopped well", flush=True)
    os._exit(0)
signal.signal(signal.SIGTERM, stop)
http.server.ThreadingHTTPServer(("", 8080), Handler).serve_forever()
EOF
"""
BUCKET = (
    "import boto3; c = boto3.client('s3'); c.create_bucket(Bucket='bucket-{0}');"
    "c.put_object(Bucket='bucket-{0}', Key='k', Body=b'stored');"
    "print(c.get_object(Bucket='bucket-{0}', Key='k')['Body'].read().decode())"
)
CONNECT = "import socket; socket.create_connection(('{}', {}), 5); print('reached')"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data, with a comma"
    folder.mkdir()
    (folder / "part-0").write_text("learnt\n")
    return folder


def test_held_job_is_logged_in_to_released_and_completes(
    runs: Runs, derive: Callable[[str, str], str], data: Path
) -> None:
    image = derive(runs.image, TRAIN)
    given = ("--wait", "300", "--channel", f"train={data}", "--env", "NOTE=two\nlines", "--hyperparameter", "lr=1")
    # A container that ends takes its sessions with it: the command outlives the answer to who released it.
    options = (*given, "--env", "TRAIN_SECONDS=5")
    job = runs.start("held", options=options, image=image)
    job.online()
    script = "printenv NOTE; hostname; cat /opt/ml/input/config/hyperparameters.json; touch /opt/ml/input/data/train/x"
    done = runs.ssh(job.host, script)
    assert done.stdout == 'two\nlines\nalgo-1\n{\n  "lr": "1"\n}\n'
    assert "Read-only file system" in done.stderr
    assert "trained" not in job.log
    assert runs.described("held")["Status"] == "InProgress"
    assert runs.ssh(job.host, "sm-wait stop").returncode == 0
    assert job.end() == 0
    assert words_of(job.log) == "trained as algo-1 on train"
    assert (runs.files("held") / "model" / "model.txt").read_text() == "learnt\n"
    assert runs.described("held")["Status"] == "Completed"
    assert runs.left() == []


def test_status_and_failure_are_the_jobs_own(runs: Runs) -> None:
    status, log = runs.to_the_end("fails", "sh", "-c", "echo no data >/opt/ml/output/failure; exit 7")
    assert status == 7, log
    found = runs.described("fails")
    assert (found["Status"], found["FailureReason"]) == ("Failed", "no data\n")


def test_image_without_the_layer_runs_and_says_so(runs: Runs, plain: str) -> None:
    status, log = runs.to_the_end("plain", "sh", "-c", "echo ran; exit 4", image=plain)
    assert (status, words_of(log)) == (4, "ran")
    warnings = [line for line in log.splitlines() if "WARNING" in line]
    assert len(warnings) == 1
    assert "sm-ssh.version" in warnings[0]


def test_image_that_cannot_train_is_one_clear_line(runs: Runs, plain: str) -> None:
    status, log = runs.to_the_end("no-train", image=plain)
    assert status == 2
    assert f"the image {plain} has no program train\n" in log
    assert "Traceback" not in log
    assert runs.described("no-train")["Status"] == "Stopped"


def test_images_own_user_writes_its_model(runs: Runs, derive: Callable[[str, str], str]) -> None:
    image = derive(runs.image, "USER 1234:1234")
    script = "id -u; echo x >/opt/ml/model/model.txt && cat /opt/ml/input/config/resourceconfig.json >/dev/null"
    status, log = runs.to_the_end("own-user", "sh", "-c", script, image=image, options=("--env", "START_SSH=false"))
    assert (status, words_of(log)) == (0, "1234")
    assert (runs.files("own-user") / "model" / "model.txt").read_text() == "x\n"


def test_processing_command_replaces_the_entrypoint_behind_ours(runs: Runs, data: Path) -> None:
    script = "cat /opt/ml/processing/input/raw/part-0 >/opt/ml/processing/output/done; exec sleep 300"
    job = runs.start("process", "sh", "-c", script, kind="processing", options=("--channel", f"raw={data}"))
    done = runs.machine.run("wait", job.host, "--timeout", "120")
    assert done.returncode == 0, done.stderr + job.log
    done = runs.ssh(job.host, "tr '\\0' ' ' </proc/1/cmdline; hostname")
    assert done.stdout == "sleep 300 algo-1\n", done.stderr
    request = json.loads((runs.files("process") / "config" / "processingjobconfig.json").read_text())
    assert request["ProcessingJobName"] == "process"
    assert request["AppSpecification"]["ContainerEntrypoint"] == ["/opt/sm-ssh/bin/sm-ssh-entry", "sh", "-c", script]
    assert (runs.files("process") / "processing" / "output" / "done").read_text() == "learnt\n"
    assert runs.described("process", "processing")["Status"] == "InProgress"
    # sleep as process 1 does not hear of SIGTERM.
    job.process.send_signal(signal.SIGTERM)
    job.saw("stopping")
    job.process.send_signal(signal.SIGTERM)
    assert job.end() == 137
    assert runs.described("process", "processing")["Status"] == "Stopped"


def test_processing_without_a_command_is_the_images_own(runs: Runs, derive: Callable[[str, str], str]) -> None:
    image = derive(runs.image, 'ENTRYPOINT ["sh", "-c", "echo own; echo bad rows >/opt/ml/output/message; exit 5"]')
    status, log = runs.to_the_end("own-entrypoint", image=image, kind="processing")
    assert (status, words_of(log)) == (5, "own")
    found = runs.described("own-entrypoint", "processing")
    assert (found["Status"], found["ExitMessage"]) == ("Failed", "bad rows\n")


def test_two_nodes_know_each_other_and_one_logs_in_to_the_other(runs: Runs, tmp_path: Path) -> None:
    key = tmp_path / "key"
    machine = runs.machine
    machine.call(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)])
    public = " ".join(key.with_suffix(".pub").read_text().split()[:2])
    options = ("--nodes", "2", "--env", f"SSH_AUTHORIZED_KEYS={public}", "--wait", "300")
    job = runs.start("pair", "sleep", "300", options=options)
    for node in ("algo-1", "algo-2"):
        done = machine.run("wait", f"{node}.{job.host}", "--timeout", "120")
        assert done.returncode == 0, done.stderr + job.log
    said = machine.call(["ssh-agent", "-s"]).stdout.replace(";", "\n")
    variables = dict(line.split("=", 1) for line in said.split() if "=" in line)
    try:
        assert machine.call(["ssh-add", "-q", str(key)], env=variables).returncode == 0
        hop = "ssh -o BatchMode=yes -o StrictHostKeyChecking=accept-new algo-2 hostname; getent hosts algo-1 algo-2"
        forwarding = ("-A", "-o", f"IdentityFile={key}")
        done = runs.ssh(f"algo-1.{job.host}", hop, options=forwarding, env=variables | {"SSH_KEY": str(key)})
    finally:
        machine.call(["kill", variables["SSH_AGENT_PID"]])
    lines = done.stdout.splitlines()
    assert lines[0] == "algo-2", done.stderr
    assert len({line.split()[0] for line in lines[1:]}) == 2


def test_without_internet_only_the_plane_is_reached(runs: Runs) -> None:
    # The host's own address on the engine's default network: another host, as seen from the job's.
    other = engine.docker("network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Gateway}}").stdout
    seen = {}
    with socket.create_server((other.strip(), 0)) as listening:
        host, port = listening.getsockname()[:2]
        for name, option in (("open", "--internet"), ("closed", "--no-internet")):
            job = runs.start(name, "sleep", "300", options=(option, "--wait", "300"))
            job.online()
            seen[name] = runs.ssh(job.host, f'cat /proc/net/route; {PYTHON} -c "{CONNECT.format(host, port)}"')
            # Buckets too, which SDKs look for under names of their own. The image need not have an SDK for that, so
            # this one is the host's: it is in the job's network, and has the job's environment.
            variables = dict(one.split("=", 1) for one in runs.ssh(job.host, "env -0").stdout.split("\0") if "=" in one)
            given = {key: value for key, value in variables.items() if key.startswith("AWS_")}
            script = BUCKET.format(name)
            done = runs.machine.call([sys.executable, "-W", "ignore", "-c", script], env=given)
            assert (done.returncode, done.stdout) == (0, "stored\n"), done.stderr
    assert seen["open"].stdout.endswith("reached\n"), seen["open"].stderr
    assert "reached" not in seen["closed"].stdout
    assert "Network is unreachable" in seen["closed"].stderr
    # Destination 0 is the default route: there is none.
    routes = [line.split()[1] for line in seen["closed"].stdout.splitlines() if line.startswith("eth0")]
    assert routes, seen["closed"]
    assert "00000000" not in routes


def test_official_agent_gets_the_plane_over_tls_and_what_it_takes_to_trust_it(
    runs: Runs, derive: Callable[[str, str], str]
) -> None:
    image = derive(runs.image, 'LABEL sm-ssh.agent="official 3.3.1142.0"')
    script = (
        "import os, socket, ssl, urllib.parse as u; where = u.urlsplit(os.environ['SM_SSH_MGS_ENDPOINT']);"
        "trusting = ssl.create_default_context(cafile=os.environ['SSL_CERT_FILE']);"
        "plain = socket.create_connection((where.hostname, where.port), 10);"
        "print(where.scheme, trusting.wrap_socket(plain, server_hostname=where.hostname).version())"
    )
    status, log = runs.to_the_end("tls", PYTHON, "-c", script, image=image, options=("--env", "START_SSH=false"))
    assert status == 0, log
    assert words_of(log) in ("https TLSv1.2", "https TLSv1.3")


@pytest.mark.parametrize("where", ["any port", "this port", "no internet"])
def test_endpoint_serves_is_logged_in_to_and_stops(
    runs: Runs, derive: Callable[[str, str], str], tmp_path: Path, where: str
) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "name").write_text("iris")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    options = {"any port": (), "this port": ("--port", str(port)), "no internet": ("--no-internet",)}[where]
    name = f"endpoint-{where.replace(' ', '-')}"
    words = ("--channel", f"model={model}", *options)
    job = runs.start(name, image=derive(runs.image, SERVE), kind="serve", options=words)
    url = job.saw(r"in service: GET (http://[0-9.:]+)/ping answers 200").group(1)
    assert url.startswith("http://127.0.0.1:") == (where != "no internet")
    assert url.endswith(f":{port}") == (where == "this port")
    with urllib.request.urlopen(urllib.request.Request(f"{url}/invocations", data=b"{}"), timeout=120) as answer:
        assert answer.read() == b"iris"
    host = f"{name}.inference.sagemaker"
    assert runs.machine.run("wait", host, "--timeout", "120").returncode == 0, job.log
    done = runs.ssh(host, "cat /opt/ml/model/name; touch /opt/ml/model/new")
    assert done.stdout == "iris"
    assert "Read-only file system" in done.stderr
    job.process.send_signal(signal.SIGINT)
    assert job.end() == 0
    assert words_of(job.log) == "stopped well"


def test_endpoints_models_are_where_the_service_puts_them(runs: Runs, data: Path) -> None:
    script = "echo $SAGEMAKER_MULTI_MODEL; cat /opt/ml/models/*/model/part-0; touch /opt/ml/models/a/model/x"
    options = ("--multi-model", "--channel", f"a={data}", "--channel", f"b={data}")
    status, log = runs.to_the_end("many", "sh", "-c", script, kind="serve", options=options)
    assert status == 1
    # Which of the two streams comes first is not said.
    assert sorted(words_of(log).splitlines())[:2] == ["learnt", "learnt"]
    assert "true" in words_of(log).splitlines()
    assert "Read-only file system" in log
    # Without a model there is the folder, as closed as with one.
    status, log = runs.to_the_end("none", "sh", "-c", "touch /opt/ml/model/x", kind="serve")
    assert status == 1
    assert "Read-only file system" in log


def test_limits_hold_in_the_container(runs: Runs) -> None:
    script = (
        "cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null;"
        "cat /sys/fs/cgroup/cpu.max /sys/fs/cgroup/cpu/cpu.cfs_quota_us 2>/dev/null;"
        "df -k --output=size /dev/shm | tail -n 1"
    )
    options = ("--memory", "300m", "--cpus", "0.5", "--shm-size", "80m")
    status, log = runs.to_the_end("limited", "sh", "-c", script, options=options)
    assert status == 0, log
    memory, processors, shared = (line.split()[0] for line in words_of(log).splitlines())
    assert (memory, processors, shared) == (str(300 << 20), "50000", str(80 << 10))


def test_no_value_stands_in_the_clients_arguments(runs: Runs, tmp_path: Path) -> None:
    values = {"PLAIN": "s3cret", "LINES": "first-s3cret\nlast-s3cret ", "SPACES": " s3cret # 'x' \"y\" ${PATH}"}
    options = tuple(word for name, value in values.items() for word in ("--env", f"{name}={value}"))
    with docker_that(tmp_path, f'echo "$@" >>{tmp_path}/calls') as env:
        before, runs.machine.env = runs.machine.env, {**runs.machine.env, **env}
        try:
            status, log = runs.to_the_end("secrets", "env", "-0", options=options)
        finally:
            runs.machine.env = before
    assert status == 0
    seen = words_of(log).split("\0")
    assert [f"{name}={value}" for name, value in values.items() if f"{name}={value}" not in seen] == []
    calls = (tmp_path / "calls").read_text()
    assert "create" in calls
    assert "s3cret" not in calls
    assert runs.machine.env["AWS_SECRET_ACCESS_KEY"] not in calls


def test_engine_somewhere_else_is_one_clear_line(runs: Runs, tmp_path: Path) -> None:
    config = '[{"Gateway":"10.254.253.252"}]'
    with docker_that(tmp_path, f"case \"$*\" in *'json .IPAM'*) echo '{config}'; exit;; esac") as env:
        done = runs.machine.run("local", "run", "--image", runs.image, "--name", "far", "--", "true", env=env)
    assert done.returncode == 23, done.stderr
    assert "cannot listen on 10.254.253.252" in done.stderr
    assert "sm-ssh local run -- CMD" in done.stderr
    assert "Traceback" not in done.stderr


def test_gpus_that_the_engine_lacks_are_one_clear_line(runs: Runs) -> None:
    if engine.docker("run", "--rm", "--gpus", "all", runs.image, "true", check=False).returncode == 0:
        pytest.skip("this engine has GPUs")
    status, log = runs.to_the_end("no-gpus", "true", options=("--gpus", "all"))
    assert status == 23
    assert "no GPUs" in log
    assert "Traceback" not in log


def test_demo_runs_in_a_container_and_says_so(runs: Runs) -> None:
    demo = Path(__file__).resolve().parents[3] / "docs" / "demo" / "demo.py"
    done = runs.machine.call([sys.executable, str(demo)], env={"SM_SSH_DEMO_IMAGE": runs.image}, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"The job runs in a container of {runs.image}" in done.stdout
    assert "saved model.json" in done.stdout
