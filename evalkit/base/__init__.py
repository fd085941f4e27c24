"""The ground: nouns, errors, events, digests, and how a mapping from outside becomes one of them."""
