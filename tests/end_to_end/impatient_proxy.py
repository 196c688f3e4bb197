"""``sm-ssh start-proxy`` that doubts a silent connection within a second: what users wait half a minute for."""

from __future__ import annotations

import sys

from sm_ssh_entry.cli import proxy
from sm_ssh_entry.connect import channel
from sm_ssh_entry.pump import Pace

if __name__ == "__main__":
    channel.PACE = Pace(ping_interval=0.3, ping_timeout=0.5, look_every=0.1, stall_after=0.7, wake_timeout=0.3)
    sys.exit(proxy.main())
