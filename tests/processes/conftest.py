from support.leftovers import nothing_left_behind  # noqa: F401
