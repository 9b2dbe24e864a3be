#!/usr/bin/env python3
"""Writes a bundle's manifest (version 0.3: the oldest that has icons, so that older hosts take it too).

    manifest.py SYSTEM ENTRY_POINT

What every package says comes from the environment (project.sh). Nothing secret is asked for: signing in happens in the
person's browser, and the keys never pass through the host.
"""

import json
import os
import sys

READ = {
    "countersign_status": "Whether you are signed in, what is waiting, whether AI trading is stopped",
    "countersign_await_approval": "Waits for your decision on an order that is held",
}


def main(system, entry):
    said = os.environ
    manifest = {
        "manifest_version": "0.3",
        "name": said["name"],
        "display_name": "Countersign for CrossTrade",
        "version": said["version"],
        "description": said["summary"],
        "long_description": said["description"]
        + "\n\nAlone this extension can read: your first question opens CrossTrade's sign-in page in your browser. For trading, "
        "install Countersign on this computer with its own installer too, which goes on into the setup; this extension finds what "
        "you did there.",
        "author": {"name": "The Countersign contributors"},
        "icon": "icon.png",
        "icons": [{"src": "icon.png", "size": "512x512"}],
        "server": {
            "type": "binary",
            "entry_point": entry,
            "mcp_config": {
                "command": "${__dirname}/" + entry,
                "args": ["serve"],
                "env": {"COUNTERSIGN_LOG": "${user_config.log_level}"},
            },
        },
        # CrossTrade's own tools come from the service when it is asked; these are ours.
        "tools": [{"name": name, "description": text} for name, text in sorted(READ.items())],
        "tools_generated": True,
        "keywords": ["crosstrade", "ninjatrader", "futures", "trading", "approval"],
        "license": said["license"],
        "compatibility": {"platforms": [system]},
        "user_config": {
            "log_level": {
                "type": "string",
                "title": "How much goes into the log",
                "description": "error, warn, info, debug or off. The log never holds a key.",
                "default": "info",
                "required": False,
            }
        },
    }
    if said.get("repository"):
        manifest["repository"] = {"type": "git", "url": said["repository"]}
        manifest["homepage"] = said["repository"]
        manifest["support"] = said["repository"] + "/issues"
    print(json.dumps(manifest, indent=2))


if __name__ == "__main__":
    main(*sys.argv[1:])
