#!/usr/bin/env python3
"""All mutants of the gate in one program, so that each of them costs a run of the tests and no build.

    tests/mutants.sh --at-once [--more] [FILE...]

Owns: putting every mutant that cargo-mutants lists into the crate that `tests/mutants.sh` makes, behind a switch; running
the tests once for each; telling which survived. Refuses to know: which mutants there are (cargo-mutants), and what a
survivor means (docs/mutants.md).

A function with three mutants begins with three lines such as `if crate::mutant(7) { return { the body as mutant 7 has it }; }`.
The environment variable MUTANT says which of them this process is; the first panic ends it, for then it is caught. What does
not compile is taken out, as a compiler's error names its lines, until the rest does: it counts as unviable. What cannot stand
behind a switch (a constant, a `const fn` that a table calls, a function that returns `impl Trait`) is told by name at the end,
for cargo-mutants to run one at a time. With `--more` the mutants are those of `more.py` instead.
"""
import json
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import more

SWITCH = '''
/// Whether this process is that mutant. A panic anywhere ends it at once, with the name of the test.
pub fn mutant(id: u32) -> bool {
    static CHOSEN: std::sync::OnceLock<u32> = std::sync::OnceLock::new();
    *CHOSEN.get_or_init(|| {
        std::panic::set_hook(Box::new(|panic| {
            let thread = std::thread::current();
            println!("CAUGHT by {} at {:?}", thread.name().unwrap_or("?"), panic.location().map(|at| (at.file(), at.line())));
            std::process::exit(101);
        }));
        std::env::var("MUTANT").ok().and_then(|text| text.parse().ok()).unwrap_or(0)
    }) == id
}
'''
# Called where only constants can stand: the tables of tools and of contracts.
IN_TABLES = {"both", "snake", "camel", "read", "tool", "open", "spec", "whole", "scaled"}
# A comment, a string, a character, or any one letter; what a lifetime leaves over does no harm.
TOKEN = re.compile(r"""//[^\n]*|/\*.*?\*/|r(#*)".*?"\1|b?"(?:\\.|[^"\\])*"|b?'(?:\\.[^']*|[^'\\])'|.""", re.S)


class Text:
    """A file with where its lines begin; places are cargo-mutants' own, both numbers from 1."""

    def __init__(self, text):
        self.text = text
        self.lines = [0]
        for line in text.split("\n"):
            self.lines.append(self.lines[-1] + len(line) + 1)

    def at(self, place):
        return self.lines[place["line"] - 1] + place["column"] - 1

    def body(self, start, end):
        """Where the `{` of a function's body is: the first one outside of brackets, strings and comments."""
        depth = 0
        for token in TOKEN.finditer(self.text, start, end):
            if token.group() in "([":
                depth += 1
            elif token.group() in ")]":
                depth -= 1
            elif token.group() == "{" and depth == 0:
                return token.start()
        return None


def put_in(crate, files, mutants, unviable):
    """Writes the files with all mutants; gives the lines that each stands on, and those that cannot stand in it."""
    where, outside = {}, []
    for name, file in files.items():
        # What looks at its environment is no constant, and nothing that calls it is one.
        const_fns = re.finditer(r"\bconst (?=fn (\w+))", file.text)
        constants = {found.start(): len("const ") for found in const_fns if found.group(1) not in IN_TABLES}
        switches = {}
        for mutant in (m for m in mutants if m["file"] == name and m["id"] not in unviable):
            function = mutant.get("function")
            if not function:
                outside.append(mutant)
                continue
            start, end = (file.at(function["span"][key]) for key in ("start", "end"))
            first, last = (file.at(mutant["span"][key]) for key in ("start", "end"))
            body = file.body(start, end)
            const = re.search(r"\bconst\s+fn\s+(\w+)", file.text[start:body]) if body else None
            fixed = const and const.group(1) in IN_TABLES
            if body is None or first < body or fixed or "impl " in (function.get("return_type") or ""):
                outside.append(mutant)
                continue
            broken = file.text[body:first] + mutant["replacement"] + file.text[last:end]
            switches.setdefault(body + 1, []).append((mutant["id"], broken))
        out, done, lines = "", 0, []
        for at in sorted([*switches, *constants]):
            out += file.text[done:at]
            done = at + constants.get(at, 0)
            for number, broken in switches.get(at, []):
                first = out.count("\n") + 2
                out += f"\nif crate::mutant({number}) {{ return {broken}; }}\n"
                lines.append((first, out.count("\n"), number))
        where[name] = lines
        (crate / name).write_text(out + file.text[done:])
    return where, outside


def build(crate, where):
    """The program of the tests, or what the compiler says against which mutant, and against none."""
    command = ["cargo", "test", "--lib", "--no-run", "--message-format=json"]
    env = {**os.environ, "RUSTFLAGS": "--cap-lints allow"}
    built = subprocess.run(command, cwd=crate, capture_output=True, text=True, env=env, check=False)
    program, against, other = None, {}, []
    for line in built.stdout.splitlines():
        message = json.loads(line) if line.startswith("{") else {}
        if message.get("executable") and message["target"]["name"] == "countersign":
            program = message["executable"]
        error = message.get("message") if message.get("reason") == "compiler-message" else None
        if not error or error["level"] != "error":
            continue
        spans = sorted(error["spans"], key=lambda span: not span["is_primary"])
        numbers = [
            number
            for span in spans
            for first, last, number in where.get(span["file_name"], [])
            if first <= span["line_start"] <= last
        ]
        if numbers:
            against.setdefault(numbers[0], error["message"])
        elif spans:
            other.append(error["rendered"])
    return program, against, other


def run(program, crate, number, limit):
    """What the tests say of one mutant: `caught`, `survived` or `timeout`, with the time that it took."""
    env = {**os.environ, "MUTANT": str(number), "INSTA_UPDATE": "no", "PROPTEST_CASES": "64"}
    began = time.time()
    try:
        tests = subprocess.run([program, "gate::"], cwd=crate, capture_output=True, timeout=limit, env=env, check=False)
    except subprocess.TimeoutExpired:
        return "timeout", time.time() - began
    return ("caught" if tests.returncode else "survived"), time.time() - began


def main():
    crate, results, wanted = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]
    others = "--more" in wanted
    wanted = [word for word in wanted if word != "--more"]
    listing = ["cargo", "mutants", "--dir", str(crate), "--list", "--json", *wanted]
    mutants = json.loads(subprocess.run(listing, capture_output=True, text=True, check=True).stdout)
    files = {name: Text((crate / name).read_text()) for name in sorted({m["file"] for m in mutants})}
    if others:
        mutants = more.mutants(mutants, files, TOKEN)
    for number, mutant in enumerate(mutants, 1):
        mutant["id"] = number
    with (crate / "src/lib.rs").open("a") as lib:
        lib.write(SWITCH)
    unviable = {}
    while True:
        where, outside = put_in(crate, files, mutants, unviable)
        program, against, other = build(crate, where)
        print(f"{len(mutants)} mutants, {len(unviable)} unviable so far, {len(against)} more now", flush=True)
        if program:
            break
        if not against:
            sys.exit("the crate does not compile:\n" + "\n".join(other[:5]))
        unviable.update(against)
    said, base = run(program, crate, 0, 600)
    if said != "survived":
        sys.exit("the tests fail without any mutant")
    elsewhere = {mutant["id"] for mutant in outside}
    here = [m for m in mutants if m["id"] not in unviable and m["id"] not in elsewhere]
    table = {}
    for mutant in mutants:
        row = table.setdefault(mutant["file"], dict.fromkeys(("caught", "unviable", "survived", "not run"), 0))
        row["unviable"] += mutant["id"] in unviable
        row["not run"] += mutant["id"] in elsewhere
    with ThreadPoolExecutor(os.cpu_count()) as pool, (results / "at-once.jsonl").open("w") as log:
        runs = pool.map(lambda mutant: run(program, crate, mutant["id"], max(60, base * 10)), here)
        for mutant, (said, took) in zip(here, runs):
            # What loops for ever is noticed by whoever waits.
            table[mutant["file"]]["survived" if said == "survived" else "caught"] += 1
            log.write(json.dumps({"mutant": mutant["name"], "said": said, "seconds": round(took, 1)}) + "\n")
            log.flush()
            if said != "caught":
                print(f"{said}: {mutant['name']}", flush=True)
    for name, row in table.items():
        print(f"{name}: " + ", ".join(f"{count} {word}" for word, count in row.items() if count))
    for mutant in outside:
        print(f"to be run one at a time: {mutant['name']}")


main()
