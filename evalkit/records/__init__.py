"""What is remembered: the store of answers, the plan of a run and what a run keeps of itself, run after run."""
