"""A few lines in the place of the SSM agent: registers by writing its file, then runs and says that it is online.

It has no service behind it. What it was started with is written down for the test; SM_SSH_FAKE_AGENT sets its mood.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

NODE = "mi-0123456789abcdef0"


def main(words: list[str]) -> int:
    state = Path(os.environ.get("SM_SSH_ROOT", "") + "/var/lib/amazon/ssm")
    mood = os.environ.get("SM_SSH_FAKE_AGENT", "")
    state.mkdir(parents=True, exist_ok=True)
    with (state / "started.jsonl").open("a") as log:
        log.write(json.dumps({"words": words, "env": dict(os.environ), "pid": os.getpid()}) + "\n")
    if "-register" in words:
        if mood == "refuses":
            sys.stderr.write(
                "ERROR Registration failed: InvalidActivation: code " + words[words.index("-code") + 1] + "\n"
            )
            return 1
        (state / "Vault" / "Store").mkdir(parents=True, exist_ok=True)
        (state / "Vault" / "Store" / "RegistrationKey").write_text(json.dumps({"instanceID": NODE}))
        (state / "registration").write_text(json.dumps({"ManagedInstanceID": NODE, "Region": "eu-west-1"}))
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    starts = sum("-register" not in json.loads(line)["words"] for line in (state / "started.jsonl").open())
    if mood == "hibernates" and starts == 1:
        print("INFO Agent is in hibernate mode. Reducing logging.", flush=True)
    elif mood == "writes a file":
        # As the official one does: its workers' lines are in the file alone.
        folder = Path(os.environ.get("SM_SSH_ROOT", "") + "/var/log/amazon/ssm")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "amazon-ssm-agent.log").write_text("INFO [MGSInteractor] Set up control channel successfully\n")
    elif mood == "reaches SSM alone":
        print("ERROR [MGSInteractor] Failed to get controlchannel token, error: no such host", flush=True)
    elif mood != "silent":
        print("INFO Set up control channel successfully", flush=True)
    while True:
        signal.pause()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
