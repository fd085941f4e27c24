"""Stands where vLLM's server would stand, for tests that put ``tests/fake_vllm`` on ``PYTHONPATH``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[5]))

if "--problems" in sys.argv:
    from support.text_servers import main
else:
    from support.servers import main

sys.exit(main(sys.argv[1:]))
