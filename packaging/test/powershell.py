#!/usr/bin/env python3
"""What can be known of install.ps1 without a PowerShell: that it parses, that it keeps to what Windows PowerShell 5.1
knows, and that it has the options of install.sh. Runs of it belong to the Windows job of the release workflow.

    powershell.py SOURCE RELEASED INSTALL_SH
"""

import re
import sys
from pathlib import Path

import tree_sitter_powershell
from tree_sitter import Language, Parser

PARSER = Parser(Language(tree_sitter_powershell.language()))


def faults(text):
    found, open_ = [], [PARSER.parse(text.encode()).root_node]
    while open_:
        node = open_.pop()
        if node.is_error or node.is_missing:
            found.append(f"line {node.start_point[0] + 1}: it does not parse")
        open_.extend(node.children)
    return found


def code(text):
    """The text without comments and without what stands in single quotes."""
    text = re.sub(r"<#.*?#>", lambda m: "\n" * m[0].count("\n"), text, flags=re.S)
    return [re.sub(r"(^|\s)#.*$", "", re.sub(r"'[^']*'", "''", line)) for line in text.splitlines()]


FORBIDDEN = {
    r"Invoke-Expression|\biex\b": "runs text as a program",
    "`": "a backtick: one blank after it changes the meaning",
    r"-AsHashtable|\?\?|\?\.|&&|\|\|": "Windows PowerShell 5.1 does not know it",
    r"\)\s*\?\s*[^.\s]|\$\w+\s+\?\s": "Windows PowerShell 5.1 does not know it (a question mark for if)",
    r"2>": "5.1 makes errors of what a program says on stderr",
    r"-Verb\s+RunAs|Start-Process|HKLM|ProgramFiles|'Machine'": "reaches beyond this user",
    r"SkipCertificateCheck|ServerCertificateValidationCallback": "would take any certificate",
    r"Set-ExecutionPolicy": "changes what the person allowed",
    r"^\s*(rm|cp|mv|cat|ls|echo|curl|wget|del|dir)\b": "an alias, which means another thing elsewhere",
}


def broken_rules(text):
    lines, found = code(text), []
    for number, line in enumerate(lines, 1):
        for pattern, why in FORBIDDEN.items():
            if re.search(pattern, line):
                found.append(f"line {number}: {why}: {line.strip()}")
        if re.search(r"(^|[={;]\s*)\s*& \S", line):
            after = "\n".join(lines[number - 1 : number + 1])
            if "LASTEXITCODE" not in after:
                found.append(f"line {number}: nobody looks at the exit code: {line.strip()}")
    head = "\n".join(lines)
    for wanted in ("Set-StrictMode", "$ErrorActionPreference = ''", "Tls12", "Get-FileHash"):
        if wanted not in head:
            found.append(f"it lacks {wanted}")
    return found


def options_of_ps1(text):
    block = re.search(r"^param\((.*?)^\)", text, flags=re.S | re.M)[1]
    return {name: kind == "switch" for kind, name in re.findall(r"\[(string|switch)\]\$(\w+)", block)}


def options_of_sh(text):
    usage = re.search(r"<<'END'\n(.*?)\nEND\n", text, flags=re.S)[1]
    found = {}
    for name, value in re.findall(r"^  --([a-z-]+)( [A-Z]+)?  ", usage, flags=re.M):
        if name != "help":
            found["".join(part.title() for part in name.split("-"))] = not value
    return found


def main(source, released, shell):
    text = Path(source).read_text()
    wrong = faults(text) + broken_rules(text) + faults(Path(released).read_text())
    mine, theirs = options_of_ps1(text), options_of_sh(Path(shell).read_text())
    if mine != theirs:
        wrong.append(f"other options than install.sh: {sorted(mine.items() ^ theirs.items())}")
    documented = set(re.findall(r"^\.PARAMETER (\w+)", text, flags=re.M))
    if documented != set(mine):
        wrong.append(f"options and their help differ: {sorted(documented ^ set(mine))}")
    if len(text.splitlines()) >= 200:
        wrong.append("200 lines or more")
    # The gate itself: each fault that it is for is found in a text that has it.
    for bad in ("if ($x) { 'y'", "Invoke-Expression $x", "& $p --version\n$y = 1\n$z = 2", "$a = $b ?? 1", "Write-Host `", "rm $x"):
        if not faults(bad) and not [one for one in broken_rules(bad) if one.startswith("line")]:
            wrong.append(f"the gate does not see: {bad!r}")
    if wrong:
        sys.exit("\n".join(wrong))
    print(f"  install.ps1 parses, keeps {len(FORBIDDEN) + 2} rules, and has the {len(mine)} options of install.sh")


if __name__ == "__main__":
    main(*sys.argv[1:])
