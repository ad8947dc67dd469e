"""Which broken lines do the tests notice? A random sample of mutmut's mutants, each against the tests that reach it.

    python -m tests.bench.mutants [--sample N] [--seed S] [--only PATTERN ...] [--without PATTERN ...]
                                  [--tests PATTERN ...] [--resume FILE] [--json] [NAME ...]

mutmut breaks the lines of the paths under `[tool.mutmut]` in a copy, `mutants/`. Each file of tests runs there once
without a mutant, to see which tests reach which function; this is kept in `mutants/reach.json` until the file changes,
unless one of its tests failed.
From each file of code a share of its mutants is drawn, or those of the NAMEs are taken. Under each, the tests that
reach its function run (but for those marked as slow): first those that reach the fewest functions, then all others if
none fails. What a test reaches only in a process that it starts is not seen.

- killed: a test fails, or the import of its file. The tests that killed run once more without a mutant; what they have
  killed is undecided if they fail then, too.
- timeout, crashed: the tests took longer than 30 s and ten times their usual time together, or their process died.
  Both are counted as killed.
- survived: all tests pass. no tests: none reaches the function. Neither is killed.

With `--resume FILE` each outcome is added to FILE. What is there already is not run again, unless its function has
changed since, or it was not killed and a file of its tests has changed. With `--tests` only these files of tests run:
fewer mutants are killed then, and never more.
"""

from __future__ import annotations

import argparse
import fnmatch
import hashlib
import json
import os
import random
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Protocol, TypedDict

from mutmut.configuration import config
from mutmut.mutation.data import SourceFileMutationData
from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.utils.file_utils import walk_mutatable_files
from mutmut.utils.format_utils import mangled_name_from_mutant_name

from core.statistics import wilson

COPY = Path("mutants")
# So many tests run first: most mutants die of them, and the files of the others need not be imported.
FIRST = 12
KILLED = ("killed", "timeout", "crashed")
OUTCOMES = {"passed": "survived", "failed": "killed", "timeout": "timeout", "crashed": "crashed"}


class Answer(TypedDict):
    """A line of tests/bench/mutant_server.py."""

    outcome: str
    failed: list[str]
    reach: dict[str, tuple[list[str], float]]


class Server(Protocol):
    """Runs tests under a mutant."""

    def __call__(self, mutant: str, tests: Sequence[str], limit_s: float, *, first: bool) -> Answer:
        """What tests/bench/mutant_server.py answers."""


class Reach:
    """The tests that reach each function, and the seconds that each test takes."""

    def __init__(self, tests: Mapping[str, tuple[Sequence[str], float]], digests: Mapping[str, str]) -> None:
        self.digests = digests
        self.breadth = {test: len(functions) for test, (functions, _) in tests.items()}
        self.seconds = {test: seconds for test, (_, seconds) in tests.items()}
        self.tests: dict[str, list[str]] = defaultdict(list)
        for test, (functions, _) in tests.items():
            for function in functions:
                self.tests[function].append(test)

    def tests_of(self, mutant: str) -> list[str]:
        """The tests that reach the function of `mutant`, those first that reach the fewest functions."""
        tests = self.tests.get(mangled_name_from_mutant_name(mutant), [])
        return sorted(tests, key=lambda test: (self.breadth[test], self.seconds[test], test))

    def digest_of(self, mutant: str) -> str:
        """Changes when a file of the tests of `mutant` does."""
        files = sorted({test.partition("::")[0] for test in self.tests_of(mutant)})
        return hashlib.sha256("".join(self.digests[file] for file in files).encode()).hexdigest()

    def limit_s(self, tests: Iterable[str]) -> float:
        """After how many seconds `tests` are stopped: many more than they take, since imports count too."""
        return 30 + 10 * sum(self.seconds.get(test, 0.0) for test in tests)


@dataclass(frozen=True)
class Result:
    """What became of one mutant; `tests`: what killed it. Of what it depends on, digests are kept."""

    mutant: str
    path: str
    outcome: str
    tests: list[str]
    function_digest: str
    tests_digest: str


@dataclass(frozen=True)
class Mutant:
    """A mutant of the file at `path`; `digest` is mutmut's of the function as it was."""

    path: str
    name: str
    digest: str


def mutants_by_path() -> dict[str, list[Mutant]]:
    """All mutants of each file."""
    mutants = {}
    for path in sorted(walk_mutatable_files()):
        data = SourceFileMutationData(path=path)
        data.load()
        if data.exit_code_by_key:
            digests = data.hash_by_function_name
            mutants[str(path)] = [
                Mutant(str(path), name, digests.get(mangled_name_from_mutant_name(name).rpartition(".")[2], ""))
                for name in data.exit_code_by_key
            ]
    return mutants


def draw(mutants: Mapping[str, Sequence[Mutant]], size: int, seed: int) -> list[Mutant]:
    """`size` mutants, from each path in proportion to how many it has; largest remainders round up.

    In an order by chance. A path gives the same mutants as long as its share and its mutants stay.
    """
    total = sum(len(of_path) for of_path in mutants.values())
    shares = {path: min(1.0, size / total) * len(of_path) for path, of_path in mutants.items()}
    counts = {path: int(share) for path, share in shares.items()}
    missing = min(size, total) - sum(counts.values())
    for path in sorted(shares, key=lambda path: (counts[path] - shares[path], path))[:missing]:
        counts[path] += 1
    drawn = [
        mutant
        for path, of_path in mutants.items()
        for mutant in random.Random(f"{seed}/{path}").sample(of_path, counts[path])
    ]
    random.Random(seed).shuffle(drawn)
    return drawn


@contextmanager
def open_server() -> Iterator[Server]:
    """Start tests/bench/mutant_server.py in the copy."""
    command = [sys.executable, "-P", str(Path(__file__).with_name("mutant_server.py"))]
    with subprocess.Popen(
        command, cwd=COPY, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin and process.stdout
        requests, answers = process.stdin, process.stdout

        def ask(mutant: str, tests: Sequence[str], limit_s: float, *, first: bool) -> Answer:
            request = {"mutant": mutant, "tests": list(tests), "limit_s": limit_s, "first": first}
            print(json.dumps(request), file=requests, flush=True)
            answer: Answer = json.loads(answers.readline())
            return answer

        yield ask
        requests.close()


def environment() -> dict[str, str]:
    """The environment in which the copy is imported."""
    return os.environ | {"PYTHONPATH": str(COPY.absolute()), "OMP_NUM_THREADS": "1"}


def measure_reach(files: Sequence[str], server: Server) -> Reach:
    """Which functions each test of `files` reaches; what is kept of files that are still the same is not run again."""
    kept = COPY / "reach.json"
    known = json.loads(kept.read_text()) if kept.exists() else {}
    for file in files:
        digest = hashlib.sha256(Path(file).read_bytes()).hexdigest()
        if known.get(file, {}).get("digest") != digest or known[file]["failed"]:
            answer = server("stats", [file], 1800, first=False)
            print(f"{file}: {answer['outcome']} {' '.join(answer['failed'])}", file=sys.stderr, flush=True)
            known[file] = {"digest": digest, "failed": answer["failed"], "reach": answer["reach"]}
            kept.write_text(json.dumps(known))
    return Reach(
        {
            test: reach
            for file in files
            for test, reach in known[file]["reach"].items()
            if test not in known[file]["failed"]
        },
        {file: known[file]["digest"] for file in files},
    )


def run(mutants: Sequence[Mutant], reach: Reach, server: Server, keep: Callable[[Result], None]) -> list[Result]:
    """Run the tests of each mutant; `keep` is called with each result."""
    results = []
    for number, mutant in enumerate(mutants, 1):
        tests = reach.tests_of(mutant.name)
        outcome, failed = "no tests", []
        for batch in (tests[:FIRST], tests[FIRST:]):
            if batch and outcome in ("no tests", "survived"):
                answer = server(mutant.name, batch, reach.limit_s(batch), first=True)
                outcome, failed = OUTCOMES.get(answer["outcome"], "undecided"), answer["failed"]
        digest = reach.digest_of(mutant.name)
        results.append(Result(mutant.name, mutant.path, outcome, failed, mutant.digest, digest))
        keep(results[-1])
        print(f"{number}/{len(mutants)} {outcome}: {mutant.name}", file=sys.stderr, flush=True)
    return results


def load_results(journal: Path | None, mutants: Sequence[Mutant], reach: Reach) -> list[Result]:
    """The results in `journal` that still hold."""
    if journal is None or not journal.exists():
        return []
    lines = [Result(**json.loads(line)) for line in journal.read_text().splitlines()]
    results = {result.mutant: result for result in lines}
    return [
        result
        for mutant in mutants
        if (result := results.get(mutant.name)) is not None
        and result.function_digest == mutant.digest
        and (result.outcome in KILLED or result.tests_digest == reach.digest_of(mutant.name))
    ]


def without_broken_tests(results: Sequence[Result], reach: Reach, server: Server) -> list[Result]:
    """`results`, but undecided where a test killed that fails without a mutant, too."""
    killers = sorted({test for result in results if result.outcome == "killed" for test in result.tests})
    if not killers:
        return list(results)
    answer = server("", killers, reach.limit_s(killers), first=False)
    if answer["outcome"] not in ("passed", "failed"):
        raise SystemExit(f"The tests that killed cannot be run without a mutant ({answer['outcome']}). Try again.")
    failed = set(answer["failed"])
    for test in sorted(failed):
        print(f"fails without a mutant: {test}", file=sys.stderr)
    return [replace(result, outcome="undecided") if failed & set(result.tests) else result for result in results]


def part_of(path: str) -> str:
    """The entry of `only_mutate` that a file belongs to."""
    return next(entry for entry in config().only_mutate if fnmatch.fnmatch(path, entry)).removesuffix("/*")


def table(results: Sequence[Result]) -> list[dict[str, object]]:
    """A row for each part and one for all: counts by outcome, the share killed of those decided, its interval."""
    parts: dict[str, list[str]] = defaultdict(list)
    for result in results:
        parts[part_of(result.path)].append(result.outcome)
        parts["all"].append(result.outcome)
    rows: list[dict[str, object]] = []
    for part, outcomes in sorted(parts.items(), key=lambda item: (item[0] == "all", item[0])):
        counts = Counter(outcomes)
        killed = sum(counts[outcome] for outcome in KILLED)
        decided = len(outcomes) - counts["undecided"]
        low, high = wilson(killed, decided)
        counted = {
            outcome.replace(" ", "_"): counts[outcome] for outcome in (*KILLED, "survived", "no tests", "undecided")
        }
        rows.append({"part": part, "mutants": len(outcomes), **counted, "rate": killed / decided if decided else None})
        rows[-1] |= {"low": low, "high": high}
    return rows


def diff_of(result: Result) -> str:
    """The change of a mutant, without the head of the diff."""
    return "\n".join(str(get_diff_for_mutant(result.mutant, path=result.path)).splitlines()[2:])


def parse_arguments() -> argparse.Namespace:
    """The options; see the top of this file."""
    parser = argparse.ArgumentParser(description="Run a random sample of mutants.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="these mutants (patterns too), instead of a sample")
    parser.add_argument("--sample", type=int, default=400, help="how many mutants to draw")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--only", nargs="*", default=["*"], metavar="PATTERN", help="run those of the sample in these files"
    )
    parser.add_argument("--without", nargs="*", default=[], metavar="PATTERN", help="draw none from these files")
    tests = ["tests/core/test_*.py", "tests/storage/test_*.py"]
    parser.add_argument("--tests", nargs="*", default=tests, metavar="PATTERN", help="files of tests to run")
    parser.add_argument("--resume", type=Path, metavar="FILE", help="keep outcomes there, and go on from them")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    return parser.parse_args()


def matches(text: str, patterns: Iterable[str]) -> bool:
    """Whether one of `patterns` fits."""
    return any(fnmatch.fnmatch(text, pattern) for pattern in patterns)


def main() -> None:
    """Draw, run and print."""
    asked = parse_arguments()
    copier = [sys.executable, "-P", str(Path(__file__).with_name("mutant_copy.py"))]
    subprocess.run(copier, env=environment(), stdout=sys.stderr, check=True)
    mutants = {path: of_path for path, of_path in mutants_by_path().items() if not matches(path, asked.without)}
    if asked.names:
        drawn = [mutant for of_path in mutants.values() for mutant in of_path if matches(mutant.name, asked.names)]
    else:
        drawn = draw(mutants, asked.sample, asked.seed)
    drawn = [mutant for mutant in drawn if matches(mutant.path, asked.only)]
    files = sorted(str(file) for pattern in asked.tests for file in Path().glob(pattern))

    def keep(result: Result) -> None:
        if asked.resume:
            with asked.resume.open("a") as journal:
                journal.write(json.dumps(asdict(result)) + "\n")

    with open_server() as server:
        reach = measure_reach(files, server)
        kept = load_results(asked.resume, drawn, reach)
        done = {result.mutant for result in kept}
        results = kept + run([mutant for mutant in drawn if mutant.name not in done], reach, server, keep)
        results = without_broken_tests(results, reach, server)
    results.sort(key=lambda result: result.mutant)
    left = [result for result in results if result.outcome not in KILLED]
    if asked.json:
        survivors = [{"mutant": item.mutant, "outcome": item.outcome, "diff": diff_of(item)} for item in left]
        print(
            json.dumps(
                {"sample": len(results), "seed": asked.seed, "parts": table(results), "survivors": survivors}, indent=2
            )
        )
        return
    for row in table(results):
        print(json.dumps(row))
    for result in left:
        print(f"\n{result.outcome}: {result.mutant}\n{diff_of(result)}")


if __name__ == "__main__":
    main()
