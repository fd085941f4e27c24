"""Groups of processes: started with a log of their own, watched from beside, noted, and ended whole.

Nothing is imported here: the watcher is a process of its own, and there is one for every server.
"""
