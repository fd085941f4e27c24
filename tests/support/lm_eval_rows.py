"""Made-up rows in the columns of the data sets that lm-eval's tasks read, and where a task finds them."""

import json

LETTERS = "ABCDEFGHIJ"


def gsm8k(n):
    return [{"question": f"What is {i} + {i}?", "answer": f"It is {2 * i}.\n#### {2 * i}"} for i in range(n)]


def arc(n):
    choices = {"text": ["blue at noon", "green", "a deep red", "black"], "label": list("ABCD")}
    return [
        {"id": str(i), "question": f"What colour has sky number {i}?", "choices": choices, "answerKey": "ABCD"[i % 4]}
        for i in range(n)
    ]


def hellaswag(n):
    return [
        {
            "ind": i,
            "activity_label": "Cooking",
            "ctx_a": f"Cook {i} takes an egg.",
            "ctx_b": "she",
            "ctx": f"Cook {i} takes an egg. she",
            "endings": ["breaks it into a pan.", "sings", "drives home in a car.", "is blue"],
            "source_id": f"s~{i}",
            "split": "val",
            "split_type": "indomain",
            "label": str(i % 4),
        }
        for i in range(n)
    ]


def winogrande(n):
    return [
        {
            "sentence": f"The cup {i} did not fit into the bag because the _ was too big.",
            "option1": "cup",
            "option2": "bag",
            "answer": str(1 + i % 2),
        }
        for i in range(n)
    ]


def truthfulqa(n):
    wrong = ["it is made of cheese", "nobody knows"]
    return [
        {
            "question": f"What is moon {i} made of?",
            "mc1_targets": {"choices": ["rock", *wrong], "labels": [1, 0, 0]},
            "mc2_targets": {"choices": ["rock", "stone and dust", *wrong], "labels": [1, 1, 0, 0]},
        }
        for i in range(n)
    ]


def ifeval(n):
    kinds = [
        (["punctuation:no_comma"], [{}]),
        (["change_case:english_lowercase", "punctuation:no_comma"], [{}, {}]),
        (["keywords:existence"], [{"keywords": ["because"]}]),
    ]
    return [
        {
            "key": i,
            "prompt": f"Write about number {i}.",
            "instruction_id_list": kinds[i % 3][0],
            "kwargs": kinds[i % 3][1],
        }
        for i in range(n)
    ]


def mmlu_pro(n):
    return [
        {
            "question_id": i,
            "question": f"Which letter is number {i}?",
            "options": ["one", "two", "three", "four"],
            "answer": "ABCD"[i % 4],
            "answer_index": i % 4,
            "cot_content": f"A: Let's think step by step. The answer is ({'ABCD'[i % 4]}).",
            "category": "biology" if i % 3 else "law",
            "src": "made up",
        }
        for i in range(n)
    ]


def bbh(n):
    return [{"input": f"number {i}: not ( {i % 2 == 0} ) is", "target": str(i % 2 != 0)} for i in range(n)]


def snarks(n):
    text = "Which statement is sarcastic?\nOptions:\n(A) So good {0}\n(B) Not so good {0}"
    return [{"input": text.format(i), "target": f"({'AB'[i % 2]})"} for i in range(n)]


def gpqa(n):
    return [
        {
            "Question": f"What is {i}?",
            "Correct Answer": f"right {i}",
            "Incorrect Answer 1": "wrong one",
            "Incorrect Answer 2": "wrong two",
            "Incorrect Answer 3": "wrong three",
        }
        for i in range(n)
    ]


def math500(n):
    return [
        {
            "problem": f"What is {i} + 1?",
            "solution": f"It is \\boxed{{{i + 1}}}.",
            "answer": str(i + 1),
            "subject": "Algebra",
            "level": 1,
            "unique_id": f"test/{i}",
        }
        for i in range(n)
    ]


def write(folder, **splits):
    """A folder with ``<split>.jsonl`` for each split."""
    folder.mkdir(parents=True, exist_ok=True)
    for split, rows in splits.items():
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


TASKS = {
    "gsm8k": lambda place: write(place, train=gsm8k(9), test=gsm8k(7)[::-1]),
    "arc_challenge": lambda place: write(place, train=arc(6), validation=arc(3), test=arc(8)),
    "hellaswag": lambda place: write(place, train=hellaswag(5), validation=hellaswag(7)),
    "winogrande": lambda place: write(place, train=winogrande(5), validation=winogrande(7)),
    "truthfulqa_mc2": lambda place: write(place, validation=truthfulqa(6)),
    "ifeval": lambda place: write(place, train=ifeval(7)),
    "mmlu_pro_biology": lambda place: write(place, validation=mmlu_pro(16), test=mmlu_pro(9)),
    "bbh_cot_fewshot_boolean_expressions": lambda place: write(place, test=bbh(6)),
    "gpqa_main_zeroshot": lambda place: write(place, train=gpqa(7)),
    "leaderboard_bbh_snarks": lambda place: write(place, test=snarks(6)),
    "hendrycks_math500": lambda place: write(place, test=math500(6)),
}
"""Task to what writes its rows into a folder."""
