#!/usr/bin/env python3
"""Fills the channels' files in from one version and the sums of what was made: a hash is never typed by a person.

    render.py RELEASE_FOLDER           writes RELEASE_FOLDER/channels/

In a template, @{NAME} is a value, @{SHA256:FILE}, @{SHA256_UPPER:FILE} and @{SRI:FILE} are that file's sum (with <version>
in its name), and the lines between `%% if FILE` and `%% end` are kept only where FILE was made. A template whose first
line is `%% needs FILE` is left out without it. An unknown name or a missing file is an error.
"""

import base64
import json
import os
import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
# Template, and where its channel wants it.
FILES = {
    "homebrew.rb.in": "homebrew/Formula/{name}.rb",
    "scoop.json.in": "scoop/bucket/{name}.json",
    "winget/version.yaml.in": "winget/{owner}.{title}.yaml",
    "winget/installer.yaml.in": "winget/{owner}.{title}.installer.yaml",
    "winget/locale.yaml.in": "winget/{owner}.{title}.locale.en-US.yaml",
    "PKGBUILD.in": "aur/PKGBUILD",
    "SRCINFO.in": "aur/.SRCINFO",
    "package.nix.in": "nix/package.nix",
}


def sums(folder):
    lines = (folder / "SHA256SUMS").read_text().splitlines()
    return {name: digest for digest, name in (line.split("  ", 1) for line in lines)}


def render(text, values, have):
    kept, keep = [], True
    for line in text.splitlines(keepends=True):
        if match := re.fullmatch(r"\s*%% if (\S+)\n", line):
            keep = match[1] in have
        elif line.strip() == "%% end":
            keep = True
        elif keep:
            kept.append(values_in(line, values, have))
    return "".join(kept)


def values_in(text, values, have):
    def value(match):
        kind, _, file = match[1].partition(":")
        if not file:
            return values[kind]
        digest = have[file.replace("<version>", values["VERSION"])]
        if kind == "SRI":
            return "sha256-" + base64.b64encode(bytes.fromhex(digest)).decode()
        return {"SHA256": digest, "SHA256_UPPER": digest.upper()}[kind]

    return re.sub(r"@\{([A-Za-z0-9_:.<>-]+)\}", value, text)


def registry(values, have):
    """server.json of the MCP Registry: the bundles and the npm package, each with what a client checks."""
    packages = []
    for system in ("linux", "darwin", "win32"):
        file = f"{values['NAME']}-{system}.mcpb"
        if file in have:
            packages.append(
                {
                    "registryType": "mcpb",
                    "identifier": f"{values['DOWNLOAD']}/{file}",
                    "version": values["VERSION"],
                    "fileSha256": have[file],
                    "transport": {"type": "stdio"},
                }
            )
    if f"{values['NAME']}-{values['VERSION']}.tgz" in have:
        packages.append(
            {
                "registryType": "npm",
                "identifier": f"@{values['OWNER'].lower()}/{values['NAME']}",
                "version": values["VERSION"],
                "transport": {"type": "stdio"},
                "packageArguments": [{"type": "positional", "value": "serve"}],
            }
        )
    return {
        "$schema": "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json",
        "name": f"io.github.{values['OWNER']}/{values['NAME']}",
        "title": values["TITLE"],
        "description": values["SUMMARY"],
        "version": values["VERSION"],
        "repository": {"url": values["REPOSITORY"], "source": "github"},
        "websiteUrl": values["REPOSITORY"],
        "packages": packages,
    }


def main(folder):
    said, folder = os.environ, Path(folder)
    have = sums(folder)
    values = {key.upper(): said[key] for key in ("name", "title", "summary", "description", "version", "repository", "owner")}
    values["DOWNLOAD"] = f"{said['repository']}/releases/download/v{said['version']}"
    values["REPOSITORY_NAME"] = said["repository"].rsplit("/", 1)[1]
    # The crate's own words: two licences, at the user's choice.
    manifest = (HERE.parent.parent / "Cargo.toml").read_text()
    values["LICENSE"] = re.search(r'^license = "(.+)"$', manifest, re.M)[1]
    # pacman allows no hyphen in a version.
    values["VERSION_AUR"] = said["version"].replace("-", "")
    names = {key.lower(): value for key, value in values.items()}
    for template, target in FILES.items():
        text = (HERE / template).read_text()
        if match := re.match(r"%% needs (\S+)\n", text):
            if match[1].replace("<version>", said["version"]) not in have:
                print(f"no {target.format(**names)}: there is no {match[1]} in this release")
                continue
            text = text[match.end() :]
        out = folder / "channels" / target.format(**names)
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(render(text, values, have))
    (folder / "channels/server.json").write_text(json.dumps(registry(values, have), indent=2) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
