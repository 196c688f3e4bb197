"""The name of a tuning job, which means one of the training jobs that it has started."""

from __future__ import annotations

from sm_ssh_entry.connect.access import Access, Reach
from sm_ssh_entry.errors import Ambiguous, NotRegistered
from sm_ssh_entry.plane.server import PlaneThread
from tests.connect.test_places import find, refused, train
from tests.connect.world import Fleet


def test_a_tuning_job_means_its_only_child_with_a_node(plane: PlaneThread, fleet: Fleet, access: Access) -> None:
    children = [f"tune-00{number}-0123456{number}" for number in (1, 2, 3)]
    access.client("sagemaker").create_hyper_parameter_tuning_job(
        HyperParameterTuningJobName="tune",
        HyperParameterTuningJobConfig={
            "Strategy": "Random",
            "ResourceLimits": {"MaxNumberOfTrainingJobs": 3, "MaxParallelTrainingJobs": 3},
        },
    )
    for child in children:
        train(plane, name=child)
    error = refused(access, "tune.training.sagemaker", Reach())
    assert isinstance(error, NotRegistered)
    assert error.message.startswith("tuning job tune has 3 training jobs running")
    wanted = fleet.add(children[1])
    fleet.add(children[1], "algo-2")
    assert find(access, "tune.training.sagemaker").node.node_id == wanted
    fleet.add(children[0])
    error = refused(access, "tune.training.sagemaker", Reach())
    assert isinstance(error, Ambiguous)
    assert all(child in error.message for child in children[:2])
    assert error.hint == f"name one: {children[0]}.training.sagemaker"
