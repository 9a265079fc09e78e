"""How often `repro-report compare` calls the same thing the same: `compare_same.py [PAIRS] [--into FOLDER]`.

Two tests are stressed and timed in two sessions a pair, one right after the other; which of the two is called
the first is turned round from pair to pair, so that a machine that gets slower favours neither. A pair counts
as same if no row of its comparison tells a difference. Timings of a machine that others use are marked as
contended, and nothing is said of them; `--contended` judges them, as `--even-if contended` does.

The sessions stay in FOLDER: called again with it, further pairs are added, and all that are there are judged,
also with 0 PAIRS. Ctrl-C ends the measuring, not the summary.

`--drawn N` judges N pairs that are drawn instead of measured: of 2 to 12 s, a millisecond an iteration, each
iteration off by 10 %, and all slower or faster by up to 10 % for spells of 0.1 to 10 s.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
from scipy import signal

sys.path.insert(0, str(Path(__file__).parents[2]))

from pytest_repro.report.catalogue import Catalogue, SessionEntry
from pytest_repro.report.comparison.judgement import Judgement, judge
from pytest_repro.report.comparison.measured import Key, Measured, Quantity, measure, sample_of
from pytest_repro.report.comparison.text import verdict_word
from pytest_repro.stats import failure_rate_interval

PAIRS = 100
OPTIONS = ("--repro-stress-time=3s", "--repro-timing", "-p", "no:cacheprovider")
MODULE = """
import random


def test_sorts(repro):
    with repro.phase("draw"):
        numbers = [random.random() for _ in range(5_000)]
    with repro.phase("sort"):
        numbers.sort()
    repro.metric("least", numbers[0])
    assert numbers[0] > 1e-6


def test_writes(repro, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "data"
    with repro.phase("write"):
        path.write_bytes(bytes(1 << 20))
    with repro.phase("read"):
        assert len(path.read_bytes()) == 1 << 20
"""
"""One iteration of two hundred of the first fails, by chance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What became of a pair.

    Attributes:
        pair: Its name.
        judgement: Its rows.
        is_contended: Whether one of its sessions shared the machine.
    """

    pair: str
    judgement: Judgement
    is_contended: bool


def main() -> None:
    """Prints each pair that differs, and how many are the same."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pairs", nargs="?", type=int, default=PAIRS)
    parser.add_argument("--into", type=Path, help="where the sessions stay")
    parser.add_argument("--drawn", type=int, metavar="N", help="judge N drawn pairs")
    parser.add_argument("--contended", action="store_true", help="judge contended times too")
    arguments = parser.parse_args()
    if arguments.drawn:
        print(told(judged_drawn(arguments.drawn)))  # noqa: T201
        return
    with tempfile.TemporaryDirectory() as temporary:
        root: Path = arguments.into or Path(temporary)
        root.mkdir(parents=True, exist_ok=True)
        try:
            measure_pairs(root, arguments.pairs)
        except KeyboardInterrupt:
            print("interrupted: what was measured is judged")  # noqa: T201
        print(told(judged_in(root, with_contended=arguments.contended)))  # noqa: T201


def measure_pairs(root: Path, number: int) -> None:
    """Adds pairs of sessions to a folder."""
    (root / "test_same.py").write_text(MODULE, encoding="utf-8")
    (root / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    known = len(list(pairs_in(root)))
    for pair in range(known, known + number):
        for _ in range(2):
            stress(root, tag=f"pair-{pair}")


def stress(root: Path, *, tag: str) -> None:
    """Runs one session; whether the test fails in it is left to chance."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *OPTIONS, f"--repro-tag={tag}"],
        cwd=root,
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode not in (0, 1):
        raise SystemExit(done.stdout + done.stderr)


def pairs_in(root: Path) -> Iterator[tuple[SessionEntry, SessionEntry]]:
    """Yields the pairs of a folder; in every other one the later session comes first."""
    for _, entries in groupby(Catalogue(root).entries(), key=lambda entry: entry.tag):
        first, *others = [entry for entry in entries if entry.exit_status in (0, 1)]
        for second in others[:1]:
            is_turned = int((first.tag or "-0").rpartition("-")[2]) % 2
            yield (second, first) if is_turned else (first, second)


def judged_drawn(number: int) -> Iterator[Judged]:
    """Yields the judgements of pairs that are drawn, always the same ones."""
    chance = np.random.default_rng(1)
    for pair in range(number):
        seconds, spell = chance.integers(2, 13), int(10 ** chance.uniform(2, 4))
        slow = chance.uniform(0.02, 0.1)
        sides = [drawn(chance, 1000 * int(seconds), spell, slow) for _ in range(2)]
        yield Judged(pair=f"drawn {pair}", judgement=judge(*sides), is_contended=False)


def drawn(chance: np.random.Generator, number: int, spell: int, slow: float) -> Measured:
    """Returns a session of one test, whose speed comes back to its mean after so many iterations."""
    kept = np.exp(-1 / spell)
    fresh = chance.normal(size=number) * np.sqrt(1 - kept**2)
    fresh[0] = chance.normal()
    speed = signal.lfilter([1], [1, -kept], fresh)
    values = 1e6 * np.exp(slow * speed) * chance.lognormal(sigma=0.1, size=number)
    key = Key(test="drawn", quantity=Quantity.DURATION, name="duration")
    return Measured(counts={}, values={key: sample_of(values, span_ns=int(values.sum()))})


def judged_in(root: Path, *, with_contended: bool) -> Iterator[Judged]:
    """Yields the judgements of the pairs of a folder."""
    for before, after in pairs_in(root):
        measured = (measure(before.path), measure(after.path))
        yield Judged(
            pair=before.tag or "",
            judgement=judge(*measured, with_contended=with_contended),
            is_contended=any(bool(one.contended) for one in measured),
        )


def told(judged: Iterable[Judged]) -> str:
    """Prints each difference, and returns how many pairs show none."""
    pairs, same, blind, changes = 0, 0, 0, Counter[str]()
    for one in judged:
        pairs += 1
        blind += one.is_contended
        changes.update(row.change.value for row in one.judgement.rows)
        same += not any(row.is_different for row in one.judgement.rows)
        tell(one)
    if not pairs:
        return "no pair was measured"
    interval = failure_rate_interval(same, pairs)
    return (
        f"{same} of {pairs} pairs are the same in all rows ({interval.low:.1%} to {interval.high:.1%}); "
        f"{blind} were contended; rows: {dict(changes)}"
    )


def tell(judged: Judged) -> None:
    """Prints the rows that differ."""
    for row in judged.judgement.rows:
        if row.is_different:
            effect = "" if row.effect is None else f" by {row.effect:+.1%}"
            name = f"{row.key.test.rpartition('::')[2]} {row.key.quantity.value} {row.key.name}"
            print(f"{judged.pair}: {name} {verdict_word(row)}{effect}", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
