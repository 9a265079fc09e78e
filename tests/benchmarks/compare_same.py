"""How often `repro-report compare` calls the same thing the same: `compare_same.py [PAIRS] [--contended]`.

One test is stressed in two sessions a pair, one right after the other, in a temporary folder; which of the
two is called the first is turned round from pair to pair, so that a machine that gets slower favours neither.
A pair counts as same if no row of its comparison tells a difference. Timings of a machine that others use are
marked as contended, and nothing is said of them; `--contended` judges them, as `--even-if contended` does.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from pytest_repro.report.catalogue import Catalogue
from pytest_repro.report.comparison.judgement import Judgement, judge
from pytest_repro.report.comparison.measured import measure
from pytest_repro.report.comparison.text import verdict_word
from pytest_repro.stats import failure_rate_interval

PAIRS = 100
STRESS = "--repro-stress-time=2s"
MODULE = """
import random


def test_same():
    numbers = sorted(random.random() for _ in range(5_000))
    assert numbers[0] > 1e-6
"""
"""One iteration of two hundred fails, by chance."""


def main() -> None:
    """Prints each pair that differs, and how many are the same."""
    words = [word for word in sys.argv[1:] if not word.startswith("-")]
    pairs = int(words[0]) if words else PAIRS
    same, blind, changes = 0, 0, Counter[str]()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "test_same.py").write_text(MODULE, encoding="utf-8")
        (root / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
        for pair in range(pairs):
            for _ in range(2):
                stress(root)
            first, second = (entry.path for entry in Catalogue(root).entries()[-2:])
            before, after = (first, second) if pair % 2 == 0 else (second, first)
            measured = (measure(before), measure(after))
            blind += any(bool(one.contended) for one in measured)
            judgement = judge(*measured, with_contended="--contended" in sys.argv)
            changes.update(row.change.value for row in judgement.rows)
            same += not any(row.is_different for row in judgement.rows)
            tell(pair + 1, judgement)
    interval = failure_rate_interval(same, pairs)
    print(  # noqa: T201
        f"{same} of {pairs} pairs are the same in all rows ({interval.low:.1%} to {interval.high:.1%}); "
        f"{blind} were contended; rows: {dict(changes)}"
    )


def stress(root: Path) -> None:
    """Runs one session; whether the test fails in it is left to chance."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", STRESS],
        cwd=root,
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode not in (0, 1):
        raise SystemExit(done.stdout + done.stderr)


def tell(pair: int, judgement: Judgement) -> None:
    """Prints the rows that differ."""
    for row in judgement.rows:
        if row.is_different:
            effect = "" if row.effect is None else f" by {row.effect:+.1%}"
            print(  # noqa: T201
                f"pair {pair}: {row.key.quantity.value} {row.key.name} {verdict_word(row)}{effect}",
                flush=True,
            )


if __name__ == "__main__":
    main()
