import pytest

from evalkit.base.errors import ConfigError
from evalkit.config import policy
from evalkit.config.policy import Rule


def test_a_policy_table_is_read():
    found = policy.policy(
        {
            "min_recovery": 99,
            "max_failed": 0.02,
            "tasks": {"mmmu": {"min_recovery": 97.5}, "vqav2": {"tier": "advisory"}},
            "averages": {"Vision": {"min_recovery": 99.5}},
        },
        "p.toml",
    )
    assert found.for_task("mmmu", averaged=False) == Rule(97.5, "critical")
    assert found.for_task("vqav2", averaged=True) == Rule(99.0, "advisory")
    assert found.for_task("docvqa", averaged=True) == Rule(99.0, "supporting")
    assert found.for_average("Vision") == Rule(99.5, "critical")
    assert found.max_failed == 0.02


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"min_recover": 99}, "did you mean 'min_recovery'?"),
        ({"min_recovery": 0.99}, "is in percent; write 99"),
        ({"min_recovery": -1}, "must be a percentage"),
        ({"min_recovery": 990}, "is 990; must be a percentage of at most 100, such as 99"),
        ({"min_recovery": 101}, "is 101; must be a percentage of at most 100, such as 99"),
        ({"min_recovery": 1.0000000000000002}, "is in percent; write 100"),
        ({"max_failed": 1.01}, "must be a share between 0 and 1"),
        ({"tasks": {"mmmu": {"min_recovery": 9950}}}, "tasks.mmmu.min_recovery"),
        ({"max_failed": 5}, "a share between 0 and 1"),
        ({"tasks": {"mmmu": {"tier": "crucial"}}}, "tasks.mmmu.tier"),
        ({"tasks": {"mmmu": {"min_recovery": 0.5}}}, "tasks.mmmu.min_recovery"),
        ({"averages": {"Vision": {"min_recovery": 0.5}}}, "averages.Vision.min_recovery"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(table, said):
    with pytest.raises(ConfigError, match=r"p\.toml") as caught:
        policy.policy(table, "p.toml")
    assert said in caught.value.message


def test_a_rounding_error_beyond_a_bound_is_accepted():
    assert policy.policy({"max_failed": 1.0000000000000002, "min_recovery": -1e-17}, "p.toml").min_recovery == -1e-17
