from __future__ import annotations

import pytest

from launchers.slurm.refusals import refusal, words
from schemas.queue import Refused, Silent

FAILED = "sbatch: error: Batch job submission failed: "
POLICY = (
    f"{FAILED}Job violates accounting/QOS policy (job submit limit, user's size and/or time "
    "limits)\n"
)


@pytest.mark.parametrize(
    "said",
    [
        f"sbatch: error: QOSMaxSubmitJobPerUserLimit\n{POLICY}",
        f"sbatch: error: AssocMaxSubmitJobLimit\n{POLICY}",
        f"sbatch: error: AssocGrpSubmitJobsLimit\n{POLICY}",
        f"sbatch: error: QOSGrpSubmitJobsLimit\n{POLICY}",
        f"sbatch: error: MaxSubmitJobsPerAccount\n{POLICY}",
        POLICY,
        f"{FAILED}Slurm temporarily unable to accept job, sleeping and retrying\n",
        f"{FAILED}Resource temporarily unavailable\n",
        f"{FAILED}Requested operation is presently disabled\n",
        f"{FAILED}Required partition not available (inactive or drain)\n",
        f"{FAILED}Required node not available (down, drained or reserved)\n",
        f"{FAILED}Slurm backup controller in standby mode\n",
        "sbatch: RPC rate limit exceeded 3 times(s). Sleeping\n",
    ],
)
def test_limits_and_busy_controllers_refuse_for_now(said: str) -> None:
    refused = refusal(said)
    assert isinstance(refused, Refused)
    assert refused.for_now


@pytest.mark.parametrize(
    "said",
    [
        f"sbatch: error: QOSMaxCpuPerJobLimit\n{POLICY}",
        f"sbatch: error: AssocMaxWallDurationPerJobLimit\n{POLICY}",
        f"sbatch: error: invalid partition specified: x\n{FAILED}Invalid partition name specified",
        f"{FAILED}Invalid account or account/partition combination specified\n",
        f"{FAILED}Invalid qos specification\n",
        f"{FAILED}Requested node configuration is not available\n",
        f"{FAILED}Requested time limit is invalid (missing or exceeds some limit)\n",
        f"{FAILED}Invalid job array specification\n",
        f"{FAILED}User's group not permitted to use this partition\n",
        "sbatch: error: a site's own filter does not like this\n",
        "",
    ],
)
def test_what_never_fits_is_refused_for_good(said: str) -> None:
    refused = refusal(said)
    assert isinstance(refused, Refused)
    assert not refused.for_now


@pytest.mark.parametrize(
    "said",
    [
        f"{FAILED}Unable to contact slurm controller (connect failure)\n",
        f"{FAILED}Socket timed out on send/recv operation\n",
        f"{FAILED}Connection reset by peer\n",
        f"{FAILED}Zero Bytes were transmitted or received\n",
        f"{FAILED}Protocol authentication error\n",
        f"{FAILED}Transport endpoint is not connected\n",
    ],
)
def test_a_lost_answer_is_no_refusal(said: str) -> None:
    assert isinstance(refusal(said), Silent)


def test_words_are_slurms_own_each_once_in_one_line() -> None:
    said = "sbatch: error: one\nsbatch: error: one\n\nsbatch: fatal: two: three\nsbatch: four\n"
    assert words(said) == "one; two: three; four"
    assert words("") == "no message"
