"""How fast the app is with 100, 10,000, 100,000 and 1,000,000 examples, and how much memory it takes.

    python -m tests.bench.app [--json] [--sizes 100,10000,100000,1000000] [--rounds N] [--cache DIR]

The real command runs in a pseudo-terminal of 80x24. Each figure is what a person feels: from the key that is typed to
the end of the frame that shows the answer, read at the other end of the terminal.

    start   from the start of the process to Home with its figures, ready for keys
    review, dataset
            from the key on Home or Review to the first example, or rows, there
    next    from the decision to the next example, with the decision committed (Review's connection syncs each commit)
    filter, rare, common, page, sort
            in Dataset: from Enter, or the key, to the rows that answer; `rare` and `common` search for a word that
            three examples have, and one that half of them have; pages go down from the first row, up from the last
    rss     the highest resident set of the process, after all of this

Each round does all sizes in turn, in another order each time, in new processes; a figure is the median over the rounds
of the percentile within a round, and for `start` and what else a round does few times, the percentile over all.
What was decided is taken back between rounds. Projects are made once (tests/bench/library.py: five minutes and 10 GB
for a million examples, half a minute and 1 GB for 100,000) and kept in DIR; then a round takes about two minutes.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from storage.database import connect
from tests.bench import library
from tests.bench.figures import percentile
from tests.bench.library import TOKEN
from tests.terminal import SIDEQUEST, Terminal, shows

SIZES = (100, 10_000, 100_000, 1_000_000)
STARTS, PRESSES, SEARCHES, PAGES = 4, 40, 6, 6
# Of these a round has too few for a percentile of its own.
SELDOM = ("start_s", "review_ms", "dataset_ms", "rss_mb")
NOTICE_S = 3.0
# Keys as a terminal sends them; the orders of Dataset by their digits, ending at the first, newest.
PAGE_DOWN, PAGE_UP, HOME, END, CLEAR = "\x1b[6~", "\x1b[5~", "\x1b[H", "\x1b[F", "\x05\x15"
ORDERS = "2345671"
FILTERS = (
    "level:1",
    "level:4 domain:risk,market",
    "status:accepted",
    "level:2-3 -status:pending",
    "level:5",
    "flagged",
)

Figures = dict[str, list[float]]


def another(than: set[str]) -> Callable[[str], str | None]:
    """For `Terminal.until`: the first example painted that is none of `than`."""
    return lambda text: next((token for token in TOKEN.findall(text) if token not in than), None)


class Session:
    """The app on one project, from its start to its end, with the figures so far."""

    def __init__(self, folder: Path, app: Terminal, rng: random.Random) -> None:
        self.app = app
        self.figures: Figures = defaultdict(list)
        self._db = connect(folder / "sidequest.db")
        self._rng = rng
        self._shown: set[str] = set()
        self._query = ""
        _, at = app.until(shows("VALIDATED", "for review"))
        self.figures["start_s"].append(at - app.started)

    def pause(self) -> None:
        """As long as a quick person takes."""
        self.app.drain(0.08 + 0.1 * self._rng.random())

    def act(self, keys: str, name: str = "") -> None:
        """Type `keys`, and note as `name` the milliseconds to rows, or an example, that were not there before."""
        typed = self.app.send(keys)
        _, at = self.app.until(another(self._shown))
        if name:
            self.figures[name].append((at - typed) * 1000)
        self.pause()
        self._shown = set(TOKEN.findall(self.app.since))

    def review(self) -> None:
        """Go to Review, and decide."""
        self.act("3", "review_ms")
        # The first decision of a session is answered by a notice, which hides the line that names the next example.
        self.act("a")
        self.app.drain(NOTICE_S)
        for _ in range(PRESSES):
            logged = library.newest_review(self._db)
            typed = self.app.send("a")
            _, at = self.app.until(another(self._shown))
            while library.newest_review(self._db) == logged:
                at = time.perf_counter()
            self.figures["next_ms"].append((at - typed) * 1000)
            self.pause()
            self._shown = set(TOKEN.findall(self.app.since))

    def dataset(self) -> None:
        """Go to Dataset; page, sort, filter and search there."""
        self.act("5", "dataset_ms")
        for _ in range(PAGES):
            for _ in range(3):
                self.act(PAGE_DOWN, "page_ms")
            self.act(END)
            for _ in range(3):
                self.act(PAGE_UP, "page_ms")
            self.act(HOME)
        for order in ORDERS:
            self.app.send("o")
            self.app.until(shows("escape goes back"))
            self.pause()
            self.act(order, "sort_ms")
        for turn in range(SEARCHES):
            self._filter(FILTERS[turn], "filter_ms")
            self._filter(library.RARE, "rare_ms")
            self._filter(FILTERS[-1 - turn], "filter_ms")
            self._filter(library.COMMON, "common_ms")

    def _filter(self, query: str, name: str) -> None:
        self.app.send("/")
        self.app.until(shows("-domain:risk"))
        self.pause()
        if self._query:
            # What is typed on the heels of this key would be cleared as well: see that it has been heeded.
            self.app.send(CLEAR)
            self.app.until(shows("empty: all"))
        self.app.send(query)
        self.app.until(shows(query))
        self._query = query
        self.pause()
        self.act("\r", name)

    def close(self) -> Figures:
        """The figures, with the memory that it took."""
        status = Path(f"/proc/{self.app.pid}/status").read_text(encoding="utf-8")
        peak = re.search(r"VmHWM:\s+(\d+) kB", status)
        assert peak is not None
        self.figures["rss_mb"].append(int(peak[1]) * 1024 / 1e6)
        self._db.close()
        return self.figures


def session(folder: Path, rng: random.Random) -> Figures:
    """All figures of one round on the project in `folder`, which is left as it was."""
    starts: list[float] = []
    for _ in range(STARTS - 1):
        with Terminal([SIDEQUEST], folder) as app:
            starts += Session(folder, app, rng).figures["start_s"]
    db = connect(folder / "sidequest.db")
    newest = library.newest_review(db)
    try:
        with Terminal([SIDEQUEST], folder) as app:
            one = Session(folder, app, rng)
            one.pause()
            one.review()
            one.dataset()
            found = one.close()
    finally:
        library.put_back(db, newest)
        db.close()
    found["start_s"] += starts
    return found


def summary(rounds: list[Figures], name: str, percent: float) -> float:
    """The figure of one size over all rounds, as the docstring above says."""
    if name in SELDOM:
        return percentile([value for found in rounds for value in found[name]], percent)
    return statistics.median(percentile(found[name], percent) for found in rounds)


def measure(sizes: list[int], rounds: int, cache: Path | None) -> dict[int, list[Figures]]:
    """The figures of each size, a dict for each round."""
    folders = {size: library.project(size, cache) for size in sizes}
    rng = random.Random(3)
    found: dict[int, list[Figures]] = {size: [] for size in sizes}
    for turn in range(rounds + 1):
        for size in rng.sample(sizes, len(sizes)):
            once = session(folders[size], rng)
            if turn:  # the first warms the disk's cache
                found[size].append(once)
    return found


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cache", type=Path)
    asked = parser.parse_args()
    sizes = [int(size) for size in asked.sizes.split(",")]
    found = measure(sizes, asked.rounds, asked.cache)
    if asked.json:
        print(json.dumps([_document(size, found[size]) for size in sizes]))
    else:
        _table(sizes, found)


def _document(size: int, rounds: list[Figures]) -> dict[str, float]:
    """The 95th percentiles of one size."""

    def worst(*names: str) -> float:
        return round(max(summary(rounds, name, 95) for name in names), 3)

    return {
        "examples": size,
        "start_s": worst("start_s"),
        "next_ms": worst("next_ms"),
        "filter_ms": worst("filter_ms"),
        "search_ms": worst("rare_ms", "common_ms"),
        "page_ms": worst("page_ms"),
        "rss_mb": worst("rss_mb"),
    }


def _table(sizes: list[int], found: dict[int, list[Figures]]) -> None:
    """Print p50 and p95 of all figures, and how far they grow from the first size to 100,000."""
    print(f"{'p50 / p95':<12}" + "".join(f"{size:>20,}" for size in sizes) + "   growth to 100,000")
    for name in found[sizes[0]][0]:
        row = [[summary(found[size], name, percent) for percent in (50, 95)] for size in sizes]
        cells = "".join(f"{low:>11.4g} / {high:<6.4g}" for low, high in row)
        growth = (
            " / ".join(f"{b / a:.2f}" for a, b in zip(row[0], row[sizes.index(100_000)], strict=True))
            if 100_000 in sizes
            else ""
        )
        print(f"{name:<12}{cells}   {growth}")


if __name__ == "__main__":
    main()
