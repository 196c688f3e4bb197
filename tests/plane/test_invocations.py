"""The runtime's routes where endpoints are records: moto answers, and the signature is checked all the same."""

from __future__ import annotations

import urllib.error
import urllib.request

import pytest

from sm_ssh_entry.plane.server import PlaneThread
from tests.plane.conftest import ClientMaker


def test_moto_makes_up_an_answer_where_nothing_runs(client: ClientMaker) -> None:
    answer = client("sagemaker-runtime").invoke_endpoint(EndpointName="nothing", Body=b"{}")
    with answer["Body"] as stream:
        assert stream.read()


def test_nobody_invokes_unsigned(shared_plane: PlaneThread) -> None:
    request = urllib.request.Request(f"{shared_plane.url}/endpoints/nothing/invocations", data=b"{}")
    with pytest.raises(urllib.error.HTTPError) as caught, urllib.request.urlopen(request, timeout=120):
        pass
    with caught.value as error:
        assert error.code in (400, 403)
        assert b"MissingAuthenticationToken" in error.read() or b"AccessDenied" in error.read()


def test_a_bucket_may_be_called_endpoints(client: ClientMaker) -> None:
    s3 = client("s3")
    s3.create_bucket(Bucket="endpoints")
    upload = s3.create_multipart_upload(Bucket="endpoints", Key="x/invocations")
    assert upload["UploadId"]
