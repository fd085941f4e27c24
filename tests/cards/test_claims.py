import pytest

from evalkit.cards import audit, card

TABLE = (
    "\n\n| Task | base | base-FP8 | Recovery |\n|---|---|---|---|\n| MuSR | 60.00 | 57.00 | 95.00 |\n"
    "| DROP | 70.00 | 69.00 | 98.57 |\n| Average | 65.00 | 63.00 | 96.92 |\n"
)
SPEED = "\n\n| Model | Latency (s) | Speedup |\n|---|---|---|\n| base | 4.7 | |\n| base-FP8 | 3.0 | 1.57 |\n"


def claims(text):
    found = audit(card(text))
    unchecked = [one for one in found.unchecked if one.table.startswith("line")]
    return [one.printed for one in found.findings if one.kind == "claim"], len(unchecked), found.checked


@pytest.mark.parametrize(
    "sentence",
    [
        "The model recovers 96.9% of the baseline's accuracy on average.",
        "It achieves an average recovery of 96.92%.",
        "This model recovers over 96% on average.",
        "It recovers 98.57% on DROP.",
        "It achieves an average score of 63.00 on the suite, whereas the unquantized model achieves 65.00.",
        "The unquantized model has an average score of 65.0.",
        "# Results\n\nWith 96.9% average recovery it is fine.",
        "The quantized model retains 96.9% of the original accuracy.",
        "It preserves more than 96% of the baseline model's performance.",
        "The model keeps 98.57 % of the accuracy of BF16 on DROP.",
        "We see 96.9% of the original model's accuracy.",
        "This costs 2.0 points average accuracy drop.",
        "An average accuracy loss of 3.08%.",
        "The average drop is less than 2.5 points.",
    ],
)
def test_a_claim_that_the_table_has_follows(sentence):
    assert claims(sentence + TABLE) == ([], 0, 6)


@pytest.mark.parametrize(
    ("sentence", "printed"),
    [
        ("The model recovers 99.5% of the baseline's accuracy on average.", "99.5%"),
        ("Average recovery of 97.9%.", "97.9%"),
        ("It retains 97.9% of the original accuracy on average.", "97.9%"),
        ("An average accuracy drop of 0.5 points.", "0.5"),
        ("Below 1% average accuracy loss.", "1%"),
        ("It achieves an average score of 63.81 on the suite.", "63.81"),
        ("This model recovers at least 98% on average.", "98%"),
    ],
)
def test_a_claim_that_the_only_average_contradicts_does_not(sentence, printed):
    assert claims(sentence + TABLE) == ([printed], 0, 6)


@pytest.mark.parametrize(
    "sentence",
    [
        "On our own questions the model recovers 99.5% of the accuracy.",
        "The average recovery of 99.5% was measured elsewhere." + TABLE,
    ],
)
def test_a_claim_that_may_mean_something_else_is_left_alone(sentence):
    found = claims(sentence + TABLE)
    assert found[:2] == ([], 1)


@pytest.mark.parametrize(
    "sentence",
    [
        "It should recover about 99% of the accuracy.",
        "An average score of about 64.2 was seen.",
        "Memory is reduced by 50%.",
        "It retains 50% of the weights.",
        "It needs 30% of the original model's memory.",
        "Pruning keeps 50% of the parameters and most of the accuracy.",
        "This is 1.8x faster than AWQ.",
        "A drop of 0.5 points on DROP.",
        "Up to 2x speedup can be expected.",
        "Kernels are up to 2.5x faster.",
    ],
)
def test_what_is_no_claim_of_the_tables_is_not_read(sentence):
    assert claims(sentence + TABLE)[:2] == ([], 0)


@pytest.mark.parametrize(
    ("sentence", "found"),
    [
        ("This model achieves up to 1.57x speedup.", ([], 0, 2)),
        ("This model achieves up to 1.97x speedup.", (["1.97"], 0, 2)),
        ("This model achieves up to 1.20x speedup.", ([], 1, 1)),
        ("It is 1.6x faster than the baseline.", ([], 0, 2)),
        ("It has 1.57x higher throughput.", ([], 0, 2)),
        ("It is 1.97x faster than the baseline.", (["1.97"], 0, 2)),
    ],
)
def test_a_speedup_has_to_be_reached(sentence, found):
    assert claims(sentence + SPEED) == found


@pytest.mark.parametrize(
    "sentence",
    [
        "It reaches an average score of 59.00 on MMLU.",
        "With an average score of 8.3 on MT-Bench it is good.",
        "MTEB average score of 64.2.",
        "Our earlier release had an average score of 68.20.",
        "In our other card (w4a16), average recovery is 97.5%.",
        "The paper of Doe et al. reports an average score of 66.1 for GPTQ.",
        "The original Llama authors report an average score of 71.3.",
        "The unquantized model has an average score of 71.3.",
        "INT4 has an average recovery of 91.0%.",
    ],
)
def test_a_sentence_about_something_else_contradicts_nothing(sentence):
    assert claims(sentence + TABLE)[:2] == ([], 1)


@pytest.mark.parametrize(
    "sentence",
    [
        "EAGLE-3 gives a 3.0x speedup.",
        "Flash attention yields a 2.0x speedup in training.",
        "Unsloth makes finetuning 2.2x faster and use 80% less VRAM!",
        "AWQ offers 1.45x speedup over GPTQ.",
        "This gives a 2.4x speedup on Blackwell.",
        "It had a 2.4x speedup in 2023.",
        "The speedup is 3.0x, a 3.0x speedup with speculative decoding.",
    ],
)
def test_a_speedup_of_something_else_contradicts_nothing(sentence):
    assert claims(sentence + SPEED)[:2] == ([], 1)


@pytest.mark.parametrize(
    "sentence",
    [
        "base-FP8 has a 2.4x speedup.",
        "This model gives a 2.4x speedup over BF16.",
        "Our model is 2.4x faster.",
    ],
)
def test_a_speedup_of_the_card_s_own_model_has_to_follow(sentence):
    assert claims(sentence + SPEED)[:2] == (["2.4"], 0)
