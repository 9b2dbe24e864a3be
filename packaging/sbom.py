#!/usr/bin/env python3
"""Writes the list of what the program is made of (CycloneDX 1.5, JSON), from `cargo metadata`.

    sbom.py ROOT OUT TARGET…

Only what is compiled into the program for one of the targets: no tests, no benches, no build scripts' own crates. The
same lock file gives the same bytes: there is no serial number, and the time is SOURCE_DATE_EPOCH.
"""

import json
import os
import subprocess
import sys
import time


def metadata(root, target):
    words = ["cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", target]
    return json.loads(subprocess.run(words, cwd=root, check=True, stdout=subprocess.PIPE).stdout)


def checksums(root):
    """The SHA-256 of each crate, as the lock file has it."""
    found, name, version = {}, None, None
    with open(os.path.join(root, "Cargo.lock"), encoding="utf-8") as lock:
        for line in lock:
            key, _, value = line.strip().partition(" = ")
            value = value.strip('"')
            if key == "name":
                name = value
            elif key == "version":
                version = value
            elif key == "checksum":
                found[name, version] = value
    return found


def shipped(data):
    """The program's own id, and what each package needs at run time, from the program on."""
    nodes = {node["id"]: node for node in data["resolve"]["nodes"]}
    root = next(p["id"] for p in data["packages"] if p["name"] == "countersign" and p["source"] is None)
    needs, open_ = {}, [root]
    while open_:
        one = open_.pop()
        if one in needs:
            continue
        deps = {dep["pkg"] for dep in nodes[one]["deps"] if any(kind["kind"] is None for kind in dep["dep_kinds"])}
        needs[one] = deps
        open_.extend(deps)
    return root, needs


def reference(package):
    return f"pkg:cargo/{package['name']}@{package['version']}"


def component(package, sums):
    found = {
        "type": "library",
        "bom-ref": reference(package),
        "name": package["name"],
        "version": package["version"],
        "purl": reference(package),
    }
    if package.get("license"):
        # An older way to write "or".
        found["licenses"] = [{"expression": package["license"].replace("/", " OR ")}]
    checksum = sums.get((package["name"], package["version"]))
    if checksum:
        found["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    if package.get("repository"):
        found["externalReferences"] = [{"type": "vcs", "url": package["repository"]}]
    return found


def main(root, out, *targets):
    sums = checksums(root)
    packages, needs, program = {}, {}, None
    # A universal program is made of the same crates as its halves.
    for target in sorted({t.replace("universal-", "aarch64-") for t in targets}):
        data = metadata(root, target)
        program, found = shipped(data)
        packages |= {p["id"]: p for p in data["packages"] if p["id"] in found}
        for one, deps in found.items():
            needs.setdefault(one, set()).update(deps)
    compiler = subprocess.run(["rustc", "--version"], check=True, stdout=subprocess.PIPE, text=True).stdout.split()[1]
    stamp = int(os.environ.get("SOURCE_DATE_EPOCH") or 0)
    own = component(packages[program], sums) | {"type": "application"}
    bom = {
        "$schema": "http://cyclonedx.org/schema/bom-1.5.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(stamp)),
            "component": own,
            "properties": [
                {"name": "rustc", "value": compiler},
                {"name": "targets", "value": " ".join(targets)},
            ],
        },
        "components": sorted((component(p, sums) for i, p in packages.items() if i != program), key=lambda c: c["purl"]),
        "dependencies": sorted(
            (
                {"ref": reference(packages[one]), "dependsOn": sorted(reference(packages[dep]) for dep in deps)}
                for one, deps in needs.items()
            ),
            key=lambda d: d["ref"],
        ),
    }
    with open(out, "w", encoding="utf-8") as file:
        json.dump(bom, file, indent=1)
        file.write("\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
