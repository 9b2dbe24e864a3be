#!/usr/bin/env python3
"""Reads the channels' JSON and YAML, and finds for each hash the file of the release that has it.

    channels.py RELEASE_FOLDER VERSION
"""

import base64
import copy
import hashlib
import json
import re
import sys
from pathlib import Path

import jsonschema
import yaml

HERE = Path(__file__).resolve().parent.parent


def registry(channels):
    """server.json against the schema; and the schema against faults that it has to find."""
    schema = json.loads((HERE / "registry/server.schema.json").read_text())
    reader = jsonschema.Draft202012Validator(schema)
    server = json.loads((channels / "server.json").read_text())
    reader.validate(server)
    for fault in (
        lambda s: s.pop("version"),
        lambda s: s.update(name="countersign"),
        lambda s: s.update(description="x" * 101),
        lambda s: s["packages"][0].pop("fileSha256"),
        lambda s: s["packages"][0].update(identifier="http://github.com/a/b.mcpb"),
        lambda s: s["packages"][0].update(registryType="zip"),
    ):
        broken = copy.deepcopy(server)
        fault(broken)
        if reader.is_valid(broken):
            sys.exit(f"error: the schema takes a broken server.json: {broken}")
    return server


def main(release, version):
    release = Path(release)
    channels = release / "channels"
    have = {hashlib.sha256(path.read_bytes()).hexdigest(): path.name for path in release.iterdir() if path.is_file()}
    server = registry(channels)
    assert server["version"] == version
    read = 0
    for path in sorted(channels.rglob("*")):
        if not path.is_file():
            continue
        text = path.read_text()
        if "@{" in text or "%%" in text:
            sys.exit(f"error: {path.name}: something was not filled in")
        if path.suffix == ".json":
            json.loads(text)
        elif path.suffix == ".yaml":
            assert yaml.safe_load(text)["PackageVersion"] == version, path
        hashes = [h.lower() for h in re.findall(r"\b[0-9a-fA-F]{64}\b", text)]
        hashes += [base64.b64decode(h).hex() for h in re.findall(r"sha256-([A-Za-z0-9+/=]{44})", text)]
        for digest in hashes:
            if digest not in have:
                sys.exit(f"error: {path.name}: no file of the release has the hash {digest}")
        if len(re.findall(r"releases/download", text)) and not hashes and path.suffix != ".yaml":
            sys.exit(f"error: {path.name}: an address without a hash")
        if version not in text:
            sys.exit(f"error: {path.name}: another version")
        read += 1
    print(f"  {read} files of channels parse, and every hash in them is that of a file of this release")


if __name__ == "__main__":
    main(*sys.argv[1:])
