"""What lm-eval itself makes of recorded answers: the oracle for ids, hashes, scores and their aggregation.

The product scores answers by itself; that its subject, category and overall scores are lm-eval's is shown by comparing
them with what ``lm_eval.evaluate`` says of the same rows and answers.
"""

from lm_eval import evaluate
from lm_eval.api.model import LM

from evalkit.harnesses.lm_eval.wire import parsed


def lm_eval_results(questions, answers, limit=None):
    """What ``lm_eval.evaluate`` returns for these answers (sample id to text) to the planned questions."""
    asked, known = {}, {}
    for sample, _ in questions.samples(limit):
        found = parsed(answers[sample.id])
        for continuation, *said in zip(sample.references["choices"], found.values, found.greedy, strict=True):
            known[sample.text, continuation] = tuple(said)
        subject, _, doc_id = sample.id.rpartition("/")
        asked.setdefault(f"mmlu_{subject}", []).append(int(doc_id))
    return evaluated(Recorded(known), questions, asked)


def evaluated(lm, questions, rows):
    """What ``lm_eval.evaluate`` returns for a model of its kind; ``rows`` are numbers by lm-eval's name of a task."""
    loaded = questions.group.loaded
    # lm-eval takes an empty list of rows for all of them: what was not asked has to be left out.
    tasks = {name: task for name, task in loaded["tasks"].items() if name in rows}
    return evaluate(lm=lm, task_dict={**loaded, "tasks": tasks}, samples=rows, bootstrap_iters=0)


class Recorded(LM):
    """Knows the log-likelihood of every (context, continuation) by heart."""

    def __init__(self, known):
        super().__init__()
        self.known = known

    def loglikelihood(self, requests):
        return [self.known[request.args] for request in requests]

    def loglikelihood_rolling(self, requests):
        raise NotImplementedError

    def generate_until(self, requests):
        raise NotImplementedError
