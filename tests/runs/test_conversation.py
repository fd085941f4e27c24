"""A conversation that several servers take part in, of which one is lost."""

import asyncio
from contextlib import aclosing
from types import SimpleNamespace

import pytest

from evalkit.base.types import Answer
from evalkit.client import Request, SendingPolicy
from evalkit.runs.asking import AskingRules
from evalkit.runs.conversation import Dialogue
from evalkit.testing import ModelServer

POLICY = SendingPolicy(window=4, tries=2, patience_s=0, first_wait_s=0.01, longest_wait_s=0.02)


def asked(pending):
    for key, _ in pending:
        body = b'{"model": "tiny", "messages": [{"role": "user", "content": "%s"}]}' % key.encode()
        yield Request(key, lambda body=body: body)


class Exam:
    """Asks all in one of the two ways."""

    facts = None

    def __init__(self, way):
        self.requests = asked if way == "requests" else lambda _: iter(())
        self.alone = asked if way == "alone" else lambda _: iter(())

    async def rehearse(self, client, samples):
        async with aclosing(client.ask(asked((f"rehearsed {number}", None) for number in range(8)))) as outcomes:
            async for _ in outcomes:
                break  # as where the server refuses the way of asking


class Owing:
    """What a ledger says of forty samples of one task."""

    def __init__(self, way, meanwhile=None):
        self.meanwhile = meanwhile
        task = SimpleNamespace(name="task")
        harness = SimpleNamespace(session=lambda *_: Exam(way))
        self.source = SimpleNamespace(part=SimpleNamespace(task=task), harness=harness)
        model = SimpleNamespace(label="tiny", names=(), endpoint="")
        self.contender = SimpleNamespace(model=model)
        self.waiting = {str(number): () for number in range(40)}
        self.deferred, self.failed_before, self.answered = {}, False, True
        self.outcomes, self.facts = [], {}

    def owing(self):
        return [self.source]

    def some(self, source):
        return []

    heaviest = some

    def another_server(self):
        pass

    def keep_facts(self, name, facts):
        pass

    def say(self, event):
        pass

    def pending(self, sources, keys):
        yield self.source, iter([(key, None) for key in keys])

    def go_on(self, able):
        return [], set()

    def settle_all(self, brought):
        for key, outcome in brought:
            del self.waiting[key]
            self.outcomes += outcome


@pytest.mark.parametrize("meanwhile", [None, lambda owing, able: []], ids=["at once", "with looks"])
@pytest.mark.parametrize("way", ["requests", "alone"])
def test_what_a_server_held_that_is_lost_when_nothing_else_is_left_is_asked_again(way, meanwhile):
    ledger = Owing(way, meanwhile)

    async def main(one, other):
        talk = Dialogue(ledger, one.url, "tiny", AskingRules(POLICY))

        async def helped():
            client = await talk.joinable()
            gone = await client.join(other.url)
            while not gone.under_way or len(ledger.waiting) > len(gone.under_way):  # noqa: ASYNC110 - of the product itself
                await asyncio.sleep(0.01)
            dead = SimpleNamespace(diagnose=lambda: SimpleNamespace(reason="it died"), last_words=str)
            talk.note_loss(tuple(gone.under_way.values()), dead)
            await client.leave(gone)

        helping = asyncio.create_task(helped())
        await talk.everything(None)
        await helping

    with ModelServer("tiny", delay_s=0.01) as one, ModelServer("tiny", delay_s=60.0) as other:
        asyncio.run(main(one, other))
    assert not ledger.waiting
    assert len(ledger.outcomes) == 40
    assert all(isinstance(outcome, Answer) for outcome in ledger.outcomes)


def test_what_a_rehearsal_broke_off_is_under_way_no_more():
    ledger = Owing("requests")
    with ModelServer("tiny", delay_s=0.01) as server:
        talk = Dialogue(ledger, server.url, "tiny", AskingRules(POLICY))
        asyncio.run(talk.everything(None))
    assert len(ledger.outcomes) == 40
    assert talk.under_way == ()


def test_how_a_later_server_is_asked_is_kept_before_its_first_answer_is_stored(monkeypatch):
    monkeypatch.setattr(Exam, "facts", "as the second server is asked")
    ledger, happened = Owing("requests"), []
    ledger.facts["task"] = "as the first server was asked"
    ledger.keep_facts = lambda _, facts: happened.append(facts)
    settle_all = ledger.settle_all
    ledger.settle_all = lambda brought: (happened.append("stored"), settle_all(brought))
    with ModelServer("tiny") as server:
        asyncio.run(Dialogue(ledger, server.url, "tiny", AskingRules(POLICY)).everything(None))
    assert happened[:2] == ["as the second server is asked", "stored"]
