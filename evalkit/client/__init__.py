"""The only part of evalkit that speaks HTTP to a model under load: a bounded window over one pool.

``Client.ask`` takes an ordinary iterator of ``Request`` and yields each one with its ``Outcome``, as they
arrive. The iterator is pulled, and each body made, in a thread, never more than a window and a little ahead.
"""

from __future__ import annotations

from evalkit.client.completions import Names, read_chat
from evalkit.client.gate import Gate
from evalkit.client.lookahead import AHEAD
from evalkit.client.patience import Patience
from evalkit.client.request import Asks, Reader, Request, SendingPolicy
from evalkit.client.sending import Client

__all__ = ["AHEAD", "Asks", "Client", "Gate", "Names", "Patience", "Reader", "Request", "SendingPolicy", "read_chat"]
