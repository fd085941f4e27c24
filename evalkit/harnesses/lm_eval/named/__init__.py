"""Any task of lm-eval's by its name: lm-eval makes the prompts and scores the answers, evalkit asks, stores and pairs.

``loading`` has lm-eval build a task over local files or the hub's, ``questions`` makes samples of its prompts,
``generation`` asks for texts and the room above for likelihoods, ``checker`` has ``scorer`` score in a process apart.
"""
