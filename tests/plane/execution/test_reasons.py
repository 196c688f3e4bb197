"""Reasons in the service's words."""

from __future__ import annotations

from sm_ssh_entry.plane.execution import reasons


def test_a_failure_file_is_cut_where_the_service_cuts_it() -> None:
    assert reasons.algorithm("x" * 2000, 3) == f"AlgorithmError: {'x' * 1024}, exit code: 3"
    assert reasons.algorithm("", 1) == "AlgorithmError: , exit code: 1"


def test_only_what_is_no_fault_of_the_jobs_is_internal() -> None:
    assert reasons.is_internal(reasons.internal("docker is not installed"))
    others = (reasons.OUT_OF_MEMORY, reasons.no_image("x"), reasons.cannot_start("x"), reasons.algorithm("", 1))
    assert not any(reasons.is_internal(one) for one in others)


def test_where_there_is_no_data_is_said() -> None:
    said = reasons.no_objects("s3://b/x", bucket="b", region="eu-west-1", role="arn:role")
    assert said.startswith('ClientError: Data download failed: No S3 objects found under S3 URL "s3://b/x" given')
    assert "(eu-west-1)" in said
    assert said.endswith('on bucket "b".')
