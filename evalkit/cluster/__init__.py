"""Servers on other hosts, by a Ray cluster that is there: nothing imports this room unless one is named (``--ray``).

Ray is asked for room and for liveness alone. Each server has one plain actor (`keeper.Keeper`), which has evalkit's own
`Server` inside and tells its address; questions and answers travel over HTTP, as they do on one host.
"""
