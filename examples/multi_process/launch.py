"""Starts N processes on each node, as torchrun and `accelerate launch` do: ``launch.py N script.py``."""

import json
import os
import pathlib
import subprocess
import sys

processes, script = int(sys.argv[1]), sys.argv[2]
cluster = json.loads(pathlib.Path("/opt/ml/input/config/resourceconfig.json").read_text())
hosts = sorted(cluster["hosts"])
node = hosts.index(cluster["current_host"])
shared = {
    "MASTER_ADDR": hosts[0],
    "MASTER_PORT": "29500",
    "WORLD_SIZE": str(processes * len(hosts)),
    "LOCAL_WORLD_SIZE": str(processes),
}
running = [
    subprocess.Popen(
        [sys.executable, script],
        env={**os.environ, **shared, "LOCAL_RANK": str(local), "RANK": str(node * processes + local)},
    )
    for local in range(processes)
]
sys.exit(max(abs(one.wait()) for one in running))
