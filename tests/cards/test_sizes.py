import pytest

from evalkit.cards.sizes import is_benchmark, known, size_of


@pytest.mark.parametrize(
    ("label", "n"),
    [
        ("Vision: MMMU (val, CoT) explicit_prompt_relaxed_correctness", 900),
        ("VQAv2 (val) vqa_match", 214_354),
        ("DocVQA (val) anls", 5_349),
        ("DocVQA (test)", 5_188),
        ("ChartQA (test, CoT) anywhere_in_answer_relaxed_correctness", 2_500),
        ("Mathvista (testmini, CoT)", 1_000),
        ("MMLU (5-shot)", 14_042),
        ("MMLU (CoT, 0-shot)", 14_042),
        ("MMLU-Pro (5-shot)", 12_032),
        ("mmlu_pro", 12_032),
        ("MMMU_Pro", 1_730),
        ("HumanEval pass@1", 164),
        ("HumanEval+ pass@1", 164),
        ("MBPP+ pass@1", 378),
        ("GSM8K", 1_319),
        ("GSM-8K (CoT, 8-shot, strict-match)", 1_319),
        ("GSM8K-Platinum (0-shot)", 1_209),
        ("ARC-C (25-shot)", 1_172),
        ("ARC Challenge (25-shot, acc_norm)", 1_172),
        ("arc_challenge", 1_172),
        ("HellaSwag (10-shot)", 10_042),
        ("Winogrande (5-shot)", 1_267),
        ("TruthfulQA (0-shot, mc2)", 817),
        ("IFEval (0-shot)", 541),
        ("IFEval (inst_level_strict_acc)", 834),
        ("GPQA Diamond", 198),
        ("GPQA (diamond, 0-shot)", 198),
        ("GPQA (main)", 448),
        ("MuSR (0-shot)", 756),
        ("MATH-lvl-5 (4-shot)", 1_324),
        ("MATH 500", 500),
        ("AIME 2025 (avg@8)", 30),
        ("AIME24", 30),
        ("MGSM (en)", 250),
    ],
)
def test_known_splits(label, n):
    assert size_of(label).n == n


@pytest.mark.parametrize(
    "label",
    [
        "MMLU-ProX",
        "Global MMLU",
        "Multilingual: MMLU",
        "MMLU Spanish",
        "MMLU Redux",
        "MMMU_Pro (vision)",
        "VQAv2 (testdev)",
        "ChartQA (val)",
        "GSM8K (Spanish)",
        "GPQA (0-shot)",
        "MGSM",
        "",
    ],
)
def test_other_splits_and_namesakes_have_no_size(label):
    assert size_of(label) is None


def test_a_section_of_translations_has_no_known_sizes():
    assert size_of("MMLU (5-shot)", "Leaderboard").n == 14_042
    assert size_of("MMLU (5-shot)", "German tasks") is None


def test_every_size_has_a_source_and_a_name_of_its_own():
    names = [name for size in known() for name in size.names if not size.needs]
    assert len(names) == len(set(names))
    assert all(size.source and size.what and size.n > 0 for size in known())


@pytest.mark.parametrize(
    ("label", "named"),
    [
        ("MMLU Redux", True),
        ("GSM8K in Latin", True),
        ("CMMLU", True),
        ("House questions", False),
        ("Mathematics", False),
    ],
)
def test_a_benchmark_is_named_even_where_its_split_is_not_known(label, named):
    assert is_benchmark(label) == named
