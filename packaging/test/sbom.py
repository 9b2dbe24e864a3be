#!/usr/bin/env python3
"""Checks the list of what the program is made of: against CycloneDX's own schema, and against the lock file.

    sbom.py BOM LOCK
"""

import json
import sys
import tomllib
from pathlib import Path

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator


def main(bom, lock):
    text = Path(bom).read_text()
    fault = JsonStrictValidator(SchemaVersion.V1_5).validate_str(text)
    if fault:
        sys.exit(f"error: {bom}: {fault}")
    listed = {(c["name"], c["version"]): c for c in json.loads(text)["components"]}
    locked = {(p["name"], p["version"]): p for p in tomllib.loads(Path(lock).read_text())["package"]}
    strangers = listed.keys() - locked.keys()
    if strangers:
        sys.exit(f"error: not in the lock file: {sorted(strangers)}")
    for name, component in listed.items():
        if component.get("hashes", [{}])[0].get("content") != locked[name].get("checksum"):
            sys.exit(f"error: another checksum than in the lock file: {name}")
    names = {name for name, _ in listed}
    for wanted in ("ring", "tokio", "rustls", "reqwest"):
        if wanted not in names:
            sys.exit(f"error: {wanted} is not listed")
    for tool in ("proptest", "insta", "crosstrade-sim"):
        if tool in names:
            sys.exit(f"error: {tool} is for tests only")
    references = [d["ref"] for d in json.loads(text)["dependencies"]]
    if len(set(references)) != len(listed) + 1:
        sys.exit("error: the graph and the list differ")
    print(f"  {len(listed)} crates, valid CycloneDX 1.5, each with the lock file's checksum")


if __name__ == "__main__":
    main(*sys.argv[1:])
