#!/usr/bin/env python
"""Writes rewards/overlong.json: what TRL's own soft punishment of overlong answers gives.

Each case has the longest length, the margin, lengths of answers in tokens, and their rewards.
Made with TRL 1.13: python make_overlong_cases.py
"""

import json
from pathlib import Path

from trl.rewards import get_soft_overlong_punishment

TARGET = Path(__file__).parent.parent / "src/main/resources/rewards/overlong.json"


def main() -> None:
    cases = []
    for longest, margin in [(100, 20), (100, 100), (7, 3), (256, 1), (5, 0)]:
        punish = get_soft_overlong_punishment(longest, margin)
        lengths = sorted({1, 2, 4, 5, 6, 7, 8, 79, 80, 81, 90, 99, 100, 101, 255, 256, 257, 1000})
        rewards = punish(completion_ids=[[0] * length for length in lengths])
        cases.append({"longest": longest, "margin": margin, "lengths": lengths, "rewards": rewards})
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(json.dumps(cases, indent=1) + "\n")


if __name__ == "__main__":
    main()
