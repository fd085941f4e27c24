"""Fixtures of the tests of rows: a small hub on a real socket, and no network."""

from support.hubs import hub, unplugged

__all__ = ["hub", "unplugged"]
