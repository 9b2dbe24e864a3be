#!/usr/bin/env python3
"""Archives that come out the same from the same files: sorted names, one time stamp, no owner, fixed permissions.

    pack.py tar.gz|tar|zip OUT FOLDER      the folder's content under its own name
    pack.py bundle OUT FOLDER              a zip of the folder's content without the folder (.mcpb)
    pack.py stored OUT BUNDLE              the same bundle without compression, for what is compressed as a whole afterwards
    pack.py verify ZIP                     strict: the zip ends where its last record ends, and every file is whole

SOURCE_DATE_EPOCH is the time stamp, in seconds since 1970; without it, 1980-01-01 (the earliest that a zip can say).
Links are not packed.
"""

import gzip
import io
import os
import struct
import sys
import tarfile
import time
import zipfile
from pathlib import Path

EARLIEST = 315532800


def stamp():
    return max(int(os.environ.get("SOURCE_DATE_EPOCH") or EARLIEST), EARLIEST)


def files(folder):
    """The files below a folder: name relative to it, path, whether it is a program."""
    for path in sorted(Path(folder).rglob("*")):
        if path.is_symlink():
            sys.exit(f"error: {path} is a link")
        if path.is_file():
            yield path.relative_to(folder).as_posix(), path, os.access(path, os.X_OK)


def tar(folder, prefix):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, path, program in files(folder):
            member = tarfile.TarInfo(prefix + name)
            member.size = path.stat().st_size
            member.mtime = stamp()
            member.mode = 0o755 if program else 0o644
            with open(path, "rb") as content:
                archive.addfile(member, content)
    return out.getvalue()


def zipped(out, folder, prefix):
    when = time.gmtime(stamp())[:6]
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, path, program in files(folder):
            member = zipfile.ZipInfo(prefix + name, when)
            member.create_system = 3
            member.external_attr = (0o100755 if program else 0o100644) << 16
            member.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(member, path.read_bytes(), compresslevel=9)


def stored(out, bundle):
    with zipfile.ZipFile(bundle) as given, zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for member in given.infolist():
            content = given.read(member)
            member.compress_type = zipfile.ZIP_STORED
            archive.writestr(member, content)


def verify(path):
    """What strict readers look at: hosts refuse a bundle with bytes after its end record."""
    data = Path(path).read_bytes()
    at = data.rfind(b"PK\x05\x06")
    if at < 0:
        sys.exit(f"error: {path} is no zip")
    _, disk, start, here, total, size, offset, comment = struct.unpack("<4sHHHHIIH", data[at : at + 22])
    if (disk, start) != (0, 0) or here != total:
        sys.exit(f"error: {path} is in several parts")
    if at + 22 + comment != len(data) or comment:
        sys.exit(f"error: {path} has {len(data) - at - 22} bytes after its end record")
    if offset + size != at:
        sys.exit(f"error: {path} has bytes between its directory and its end record")
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        if len(set(names)) != len(names) or len(names) != total:
            sys.exit(f"error: {path} names a file twice")
        for name in names:
            if name.startswith("/") or ".." in name.split("/") or "\\" in name:
                sys.exit(f"error: {path} would write outside its folder: {name}")
        broken = archive.testzip()
        if broken:
            sys.exit(f"error: {path}: {broken} is damaged")


def main(args):
    if len(args) == 2 and args[0] == "verify":
        verify(args[1])
        return
    if len(args) != 3:
        sys.exit(__doc__)
    kind, out, folder = args
    prefix = "" if kind == "bundle" else Path(folder).name + "/"
    if kind == "tar":
        Path(out).write_bytes(tar(folder, prefix))
    elif kind == "tar.gz":
        with open(out, "wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as packed:
            packed.write(tar(folder, prefix))
    elif kind == "stored":
        stored(out, folder)
        verify(out)
    elif kind in ("zip", "bundle"):
        zipped(out, folder, prefix)
        verify(out)
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
