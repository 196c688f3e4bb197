"""The login itself: a real session up to sshd's greeting, and then ``ssh`` with the key, without a command of note."""

from __future__ import annotations

from sm_ssh_entry import command, contract
from sm_ssh_entry.connect import connect, greeting, keys, places, push, ssh_client, ssh_command
from sm_ssh_entry.connect.doctor import policies
from sm_ssh_entry.connect.doctor.case import Case
from sm_ssh_entry.connect.doctor.findings import Finding, bad, ok, unchecked
from sm_ssh_entry.connect.names import Target
from sm_ssh_entry.connect.places import Place

_LOGIN_SECONDS = 25.0
_LOOK = "look at the job's log; sm-ssh shell NAME, where sm-ssh-entry status tells how sshd is"


def session(case: Case) -> Finding:
    """Does a session open, and does an sshd greet at its other end?"""
    place = _place(case)
    if case.tier_off and not place.native:
        return unchecked("because of: advanced-instances tier", blocked=True)
    if place.hop:
        return unchecked(f"{place.hop} is behind {place.node.node_id}: it has no session of its own")
    port = connect.port_of(place.node)
    ticket = places.start(case.access, place, policies.SSH_DOCUMENT, {"portNumber": str(port)}, reason="sm-ssh doctor")
    text = greeting.read(ticket, lambda: case.client("ssm"))
    if greeting.is_sshd(text):
        return ok(f"port {port}: {text}")
    if text:
        return bad(f"what answers on port {port} is not an sshd: {text[:60]!r}", _LOOK)
    return bad(f"the session opens, but no sshd answers on port {port} of {place.node.node_id}", _LOOK)


def key(case: Case) -> Finding:
    """Does the node take the key?"""
    place, target = _place(case), case.target or Target()
    candidates = keys.existing(case.reach.identity)
    if not candidates:
        return unchecked("you have no key yet: the first login makes one")
    if not (place.native or place.hop or push.known(place.node, candidates)):
        return unchecked("the node does not know a key of yours yet: the first login gives it one, by Run Command")
    with ssh_client.notes() as kept:
        proxy = ssh_command.proxy_words(target, case.reach, outcome=kept.outcome)
        quiet = ("-T", "-o", "BatchMode=yes", "-o", "ControlPath=none", "-o", "ControlMaster=no")
        words = ssh_command.Words(options=quiet, command=("true",))
        done = command.run(ssh_command.ssh_argv(target, proxy, candidates, words), timeout=_LOGIN_SECONDS)
    if done.ok:
        return ok(f"{candidates[0].fingerprint} logs in")
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    if any("Permission denied" in line for line in lines):
        return bad(
            f"sshd refuses {candidates[0].fingerprint} ({candidates[0].identity})",
            f"name the job's key: SSH_KEY=path; or submit it with {contract.SSH_AUTHORIZED_KEYS}="
            f"'{candidates[0].text}'",
        )
    return bad(f"ssh ends with {done.returncode}: {lines[0] if lines else 'no word'}", "sm-ssh connect NAME -v")


def _place(case: Case) -> Place:
    assert case.place is not None  # noqa: S101 - node.online is among what these checks need
    return case.place
