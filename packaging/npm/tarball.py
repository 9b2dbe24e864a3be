#!/usr/bin/env python3
"""Packs a folder as npm does (everything below `package/`), but so that the same files give the same bytes.

    tarball.py FOLDER OUT.tgz
"""

import gzip
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import pack  # noqa: E402

folder, out = sys.argv[1:]
with open(out, "wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as packed:
    packed.write(pack.tar(folder, "package/"))
