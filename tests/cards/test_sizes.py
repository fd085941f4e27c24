import pytest

from evalkit.cards.sizes import size_of


@pytest.mark.parametrize(
    ("label", "n"),
    [
        ("Vision: MMMU (val, CoT) explicit_prompt_relaxed_correctness", 900),
        ("VQAv2 (val) vqa_match", 214_354),
        ("DocVQA (val) anls", 5_349),
        ("ChartQA (test, CoT) anywhere_in_answer_relaxed_correctness", 2_500),
        ("Mathvista (testmini, CoT)", 1_000),
        ("MMLU (5-shot)", 14_042),
        ("HumanEval pass@1", 164),
        ("HumanEval+ pass@1", 164),
    ],
)
def test_known_splits(label, n):
    assert size_of(label).n == n


@pytest.mark.parametrize(
    "label",
    [
        "MMMU-Pro",
        "MMMU_Pro (vision)",
        "MMLU-Pro (5-shot)",
        "MMLU Redux",
        "CMMLU",
        "DocVQA (test)",
        "VQAv2 (testdev)",
        "ChartQA (val)",
        "GSM8K",
        "",
    ],
)
def test_other_splits_and_namesakes_have_no_size(label):
    assert size_of(label) is None
