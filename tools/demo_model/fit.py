"""The training program: ``python -m demo_model.fit --out DIR --minutes 9``.

On one H100 it reaches the committed accuracies in some minutes. ``--resume`` goes on from a folder that an earlier
run left. What it writes to DIR, now and then and at the end: ``tokenizer.json``, ``weights-*.safetensors`` (32 bits)
and ``log.jsonl`` (loss and held-out accuracy along the way). ``demo_model.export`` makes the checkpoint of it.
"""

from __future__ import annotations

import argparse
from pathlib import Path


def commands() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description="Train the demo model.")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--resume", type=Path, help="folder of an earlier run")
    parser.add_argument("--minutes", type=float, default=9.0)
    parser.add_argument("--rate", type=float, default=2e-3, help="peak learning rate")
    parser.add_argument("--cool-from", type=float, default=0.5, help="share of the time after which the rate falls")
    parser.add_argument("--progress", type=float, default=0.0, help="where the curriculum starts, 0 to 1")
    parser.add_argument("--batch", type=int, nargs=3, default=(168, 32, 56), metavar=("ONE", "TWO", "TEXT"))
    parser.add_argument("--chunks", type=int, nargs=3, default=(64, 16, 32), metavar=("ONE", "TWO", "TEXT"))
    parser.add_argument("--workers", type=int, default=15)
    parser.add_argument("--every", type=float, default=30, help="seconds between evaluations")
    parser.add_argument("--compile", action="store_true", help="compile the layers first (about half a minute)")
    parser.add_argument("--seed", default="1")
    return parser


def main() -> None:
    """Run the program."""
    # Worker processes import this file again: the heavy modules stay out of its top.
    from demo_model.training import fit  # noqa: PLC0415

    fit(commands().parse_args())


if __name__ == "__main__":
    main()
