#!/usr/bin/env python3
"""Draws the icon: a signature's stroke and a check mark in a round stamp, as a PNG of any size, or an ICO of several.

    icon.py OUT.png [SIZE]
    icon.py OUT.ico
"""

import struct
import sys
import zlib

INK, PAPER, GREEN = (24, 42, 66), (247, 244, 236), (28, 122, 88)


def capsule(x, y, a, b, width):
    """The distance of a point from a thick line, negative inside."""
    (ax, ay), (bx, by) = a, b
    dx, dy = bx - ax, by - ay
    at = max(0.0, min(1.0, ((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy)))
    return ((x - ax - at * dx) ** 2 + (y - ay - at * dy) ** 2) ** 0.5 - width


def pixel(x, y, soft):
    """The colour of a point of the unit square, with edges `soft` wide."""
    colour, alpha = (0, 0, 0), 0.0

    def over(distance, paint):
        nonlocal colour, alpha
        cover = max(0.0, min(1.0, 0.5 - distance / soft))
        if cover <= 0:
            return
        whole = cover + alpha * (1 - cover)
        colour = tuple((p * cover + c * alpha * (1 - cover)) / whole for p, c in zip(paint, colour))
        alpha = whole

    # A rounded square of paper's ink, and on it the paper's round.
    qx, qy = max(abs(x - 0.5) - 0.29, 0.0), max(abs(y - 0.5) - 0.29, 0.0)
    over((qx * qx + qy * qy) ** 0.5 - 0.19, INK)
    from_middle = ((x - 0.5) ** 2 + (y - 0.5) ** 2) ** 0.5
    over(from_middle - 0.355, PAPER)
    over(abs(from_middle - 0.31) - 0.011, INK)
    # The line to sign on, and the check mark that crosses it.
    over(capsule(x, y, (0.33, 0.665), (0.67, 0.665), 0.013), INK)
    over(min(capsule(x, y, (0.355, 0.505), (0.46, 0.605), 0.037), capsule(x, y, (0.46, 0.605), (0.665, 0.36), 0.037)), GREEN)
    return bytes(round(c) for c in colour) + bytes([round(alpha * 255)])


def png(size):
    soft = 1.4 / size
    rows = b"".join(
        b"\0" + b"".join(pixel((x + 0.5) / size, (y + 0.5) / size, soft) for x in range(size)) for y in range(size)
    )

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", size, size, 8, 6, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")


def ico(sizes=(16, 32, 48, 256)):
    images = [png(size) for size in sizes]
    out, at = struct.pack("<HHH", 0, 1, len(images)), 6 + 16 * len(images)
    for size, image in zip(sizes, images):
        out += struct.pack("<BBBBHHII", size % 256, size % 256, 0, 0, 1, 32, len(image), at)
        at += len(image)
    return out + b"".join(images)


def main(args):
    if not args:
        sys.exit(__doc__)
    out = args[0]
    with open(out, "wb") as file:
        file.write(ico() if out.endswith(".ico") else png(int(args[1]) if len(args) > 1 else 512))


if __name__ == "__main__":
    main(sys.argv[1:])
