"""Pictures drawn by arithmetic: heads before a background, smooth ("ai") or with grain ("real"). Theirs is no
licence and no person."""
import math
import random
import struct
import zlib


def write_png(path, width, height, rows):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    raw = b"".join(b"\0" + row for row in rows)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(raw, 6)) + chunk(b"IEND", b""))


def mix(a, b, share):
    return [x + (y - x) * share for x, y in zip(a, b)]


def inside(x, y, centre_x, centre_y, half_width, half_height, edge=0.06):
    """1 inside an ellipse, 0 outside, smooth between."""
    distance = math.hypot((x - centre_x) / half_width, (y - centre_y) / half_height)
    return min(1.0, max(0.0, (1 + edge - distance) / (2 * edge)))


def portrait(seed, grain, side):
    """Rows of RGB bytes."""
    rand = random.Random(seed)
    top, bottom = [[rand.randint(40, 225) for _ in range(3)] for _ in range(2)]
    skin = mix([92, 56, 40], [240, 205, 178], rand.random())
    hair = mix([25, 18, 16], [190, 150, 90], rand.random() ** 2)
    shirt = [rand.randint(30, 200) for _ in range(3)]
    lean = rand.uniform(-0.03, 0.03)
    rows = []
    for j in range(side):
        y = j / side
        row = bytearray()
        for i in range(side):
            x = i / side + lean * (0.5 - y)
            color = mix(top, bottom, y)
            color = mix(color, shirt, inside(x, y, 0.5, 1.08, 0.40, 0.30))
            color = mix(color, [0.86 * c for c in skin], inside(x, y, 0.5, 0.76, 0.09, 0.16))
            color = mix(color, hair, inside(x, y, 0.5, 0.40, 0.235, 0.285))
            color = mix(color, skin, inside(x, y, 0.5, 0.47, 0.185, 0.245))
            color = mix(color, hair, inside(x, y, 0.5, 0.215, 0.17, 0.075))
            for eye in (0.425, 0.575):
                color = mix(color, [250, 248, 245], inside(x, y, eye, 0.45, 0.034, 0.02))
                color = mix(color, [40, 50, 60], inside(x, y, eye, 0.45, 0.015, 0.017, 0.2))
            color = mix(color, [0.8 * c for c in skin], inside(x, y, 0.5, 0.54, 0.022, 0.035, 0.5))
            color = mix(color, [165, 75, 72], inside(x, y, 0.5, 0.615, 0.062, 0.017, 0.2))
            light = 1.08 - 0.3 * abs(x - 0.38)
            noise = rand.gauss(0, grain) if grain else 0
            row += bytes(min(255, max(0, int(c * light + noise))) for c in color)
        rows.append(bytes(row))
    return rows


def write_portrait(path, seed, grain, side):
    write_png(path, side, side, portrait(seed, grain, side))
