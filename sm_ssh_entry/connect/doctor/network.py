"""The network from here: do the endpoints answer, is it really AWS, and what time is it there?"""

from __future__ import annotations

import contextlib
import email.utils
import http.client
import socket
import ssl
import sys
import time
import urllib.parse
import urllib.request

from sm_ssh_entry import aws
from sm_ssh_entry.connect import diagnose
from sm_ssh_entry.connect.doctor.case import SECONDS, Case
from sm_ssh_entry.connect.doctor.findings import Finding, bad, ok, unchecked
from sm_ssh_entry.errors import Unreachable

# Signature Version 4 is refused where the clocks are further apart than five minutes.
SKEW_SECONDS = 240.0
_FIX = "check the network, the proxy and the firewall; in a VPC, the interface endpoint {service}"


def now() -> float:
    """Return this machine's clock."""
    return time.time()


def ssm(case: Case) -> Finding:
    """Does the API of Systems Manager answer? Its answer also tells the time there."""
    with aws.errors_of(region=case.region):
        url = str(case.client("ssm").meta.endpoint_url)
    finding, date = _ask(case, url, "ssm")
    if date:
        with contextlib.suppress(TypeError, ValueError):
            case.skew = now() - email.utils.parsedate_to_datetime(date).timestamp()
    return finding


def ssmmessages(case: Case) -> Finding:
    """Does the service of data channels answer? ``StartSession`` names its address; by rule it is this one."""
    with aws.errors_of(region=case.region):
        url = str(case.client("ssm").meta.endpoint_url)
    return _ask(case, url.replace("://ssm.", "://ssmmessages.", 1), "ssmmessages")[0]


def clock(case: Case) -> Finding:
    """Is this machine's clock right?"""
    if case.skew is None:
        return unchecked("the endpoint told no time")
    apart = f"{abs(case.skew):.0f} s {'ahead of' if case.skew > 0 else 'behind'} AWS's"
    if abs(case.skew) > SKEW_SECONDS:
        return bad(f"this clock is {apart}: AWS refuses what is signed by it", f"set the clock: {_set_clock()}")
    return ok(f"this clock is {apart}")


def _set_clock() -> str:
    return {"win32": "w32tm /resync", "darwin": "sudo sntp -sS time.apple.com"}.get(
        sys.platform, "sudo timedatectl set-ntp true"
    )


def _ask(case: Case, url: str, service: str) -> tuple[Finding, str]:
    """Connect as an AWS client would, ask for ``/``, and return what was found and the Date of the answer."""
    parts = urllib.parse.urlsplit(url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    fix = _FIX.format(service=service)
    try:
        connection, way = _connection(case, parts.scheme, host, port)
        with contextlib.closing(connection):
            connection.request("GET", "/", headers={"Host": parts.netloc})
            answer = connection.getresponse()
            return ok(f"{host}:{port} answers{way}"), answer.getheader("Date") or ""
    except ssl.SSLCertVerificationError as error:
        why = f"{host}:{port}: its certificate is not trusted ({error.verify_message})"
        return bad(why, "name your company's authority in AWS_CA_BUNDLE: export AWS_CA_BUNDLE=/path/to/ca.pem"), ""
    except socket.gaierror as error:
        unreachable = Unreachable(f"{host} has no address ({error.strerror})", hint=fix)
        unknown = diagnose.call_failed(unreachable, case.access)
        return bad(unknown.message, unknown.hint), ""
    except (OSError, http.client.HTTPException) as error:
        return bad(f"{host}:{port} does not answer ({error or type(error).__name__})", fix), ""


def _connection(case: Case, scheme: str, host: str, port: int) -> tuple[http.client.HTTPConnection, str]:
    proxy = urllib.request.getproxies().get(scheme, "")
    context = ssl.create_default_context()
    if scheme == "https":
        context.load_verify_locations(aws.ca_bundle(case.reach.profile))
    if proxy and not urllib.request.proxy_bypass(host):
        through = urllib.parse.urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        name, number = through.hostname or "", through.port or 80
        way = f", through the proxy {name}:{number}"
        connection = (
            http.client.HTTPSConnection(name, number, timeout=SECONDS, context=context)
            if scheme == "https"
            else http.client.HTTPConnection(name, number, timeout=SECONDS)
        )
        connection.set_tunnel(host, port)
        return connection, way
    if scheme == "https":
        return http.client.HTTPSConnection(host, port, timeout=SECONDS, context=context), ""
    return http.client.HTTPConnection(host, port, timeout=SECONDS), ""
