#!/usr/bin/env python3
"""Writes the package.json of the npm packages, and the launcher's list of them. Called by package.sh."""

import json
import os
import sys


def common(full):
    said = os.environ
    return {
        "name": full,
        "version": said["version"],
        "description": said["summary"],
        "license": "(" + said["license"] + ")",
        "repository": {"type": "git", "url": "git+" + said["repository"] + ".git"},
        "homepage": said["repository"],
    }


def main(kind, *rest):
    if kind == "platform":
        full, node = rest
        system, cpu, *libc = node.split()
        package = common(full) | {"os": [system], "cpu": [cpu], "files": ["bin"], "preferUnplugged": True}
        if libc:
            package["libc"] = ["glibc" if libc == ["gnu"] else "musl"]
    elif kind == "packages":
        package = {}
        for one in rest:
            full, node, file = one.split("=")
            package[node] = {"package": full, "file": file}
    else:
        full, *others = rest
        version = os.environ["version"]
        package = common(full) | {
            # How the MCP Registry knows that the package and the listing have one owner.
            "mcpName": f"io.github.{os.environ['owner']}/{os.environ['name']}",
            "bin": {os.environ["name"]: "bin/countersign.js"},
            "files": ["bin"],
            "engines": {"node": ">=18"},
            "optionalDependencies": {one.split("=")[0]: version for one in others},
            "keywords": ["mcp", "mcp-server", "crosstrade", "ninjatrader", "trading", "approval"],
        }
    print(json.dumps(package, indent=2))


if __name__ == "__main__":
    main(*sys.argv[1:])
