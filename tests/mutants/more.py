"""Mutants that cargo-mutants 27 does not make: methods changed for their opposites, conditions turned round, numbers and sides.

Owns: which those are. Refuses to know: how a mutant is built and run (`at_once.py`). The places are found in the text, with
comments and strings left out; what does not compile is found out by the compiler.
"""
import bisect
import re

PAIRS = [
    ("any", "all"),
    ("is_some_and", "is_none_or"),
    ("is_some", "is_none"),
    ("min", "max"),
    ("first", "last"),
    ("saturating_add", "saturating_sub"),
    ("checked_add", "checked_sub"),
]
WORDS = [("Side::Buy", "Side::Sell"), ("Self::Buy", "Self::Sell"), ("true", "false")]


def plain(text, token):
    """The text with blanks in place of comments and strings, so that places stay."""
    letters = list(text)
    for found in token.finditer(text):
        word = found.group()
        if len(word) > 1 and (word[0] in '/"' or word.startswith(('r"', "r#", 'b"'))):
            letters[found.start() : found.end()] = [letter if letter == "\n" else " " for letter in word]
    return "".join(letters)


def conditions(code):
    """The conditions of plain `if`s: from behind the word to before the `{`."""
    for found in re.finditer(r"\bif (?!let\b)", code):
        depth = 0
        for at in range(found.end(), len(code)):
            if code[at] in "([":
                depth += 1
            elif code[at] in ")]":
                depth -= 1
            elif code.startswith("=>", at) and depth == 0:
                break  # the guard of an arm: cargo-mutants has those
            elif code[at] == "{" and depth == 0:
                condition = code[found.end() : at].rstrip()
                if " let " not in condition:
                    yield found.end(), found.end() + len(condition)
                break


def changes(file, code):
    """Every change of a file: from, to, what stands there then, and how it is called."""
    for one, other in [*PAIRS, *((other, one) for one, other in PAIRS)]:
        for found in re.finditer(rf"\.({one})\(", code):
            yield found.start(1), found.end(1), other, f"{one} to {other}"
    for one, other in [*WORDS, *((other, one) for one, other in WORDS)]:
        for found in re.finditer(rf"(?<![\w:]){one}(?!\w)", code):
            yield found.start(), found.end(), other, f"{one} to {other}"
    for found in re.finditer(r"(?<![\w.])(\d[\d_]*)(?![\w.])", code):
        number = int(found.group(1).replace("_", ""))
        yield found.start(), found.end(), str(number + 1), f"{number} to {number + 1}"
    for start, end in conditions(code):
        yield start, end, f"!({file.text[start:end]})", "a condition turned round"


def mutants(listed, files, token):
    """The mutants of the functions that cargo-mutants lists, in its form."""
    made = []
    for name, file in files.items():
        spans = {}
        for function in (one["function"] for one in listed if one["file"] == name and one.get("function")):
            start, end = file.at(function["span"]["start"]), file.at(function["span"]["end"])
            body = file.body(start, end)
            if body is not None:
                spans[start, end] = (body, function)

        def place(at, lines=file.lines):
            line = bisect.bisect_right(lines, at)
            return {"line": line, "column": at - lines[line - 1] + 1}

        for start, end, instead, called in changes(file, plain(file.text, token)):
            inside = [(b - a, f) for (a, b), (body, f) in spans.items() if body < start and end <= b]
            if not inside:
                continue
            function = min(inside, key=lambda pair: pair[0])[1]
            first = place(start)
            made.append(
                {
                    "file": name,
                    "function": function,
                    "span": {"start": first, "end": place(end)},
                    "replacement": instead,
                    "name": f"{name}:{first['line']}:{first['column']}: {called} in {function['function_name']}",
                }
            )
    return made
