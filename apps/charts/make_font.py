"""Writes font_outlines.cpp: the glyphs of DejaVu Sans that charts need, as SVG-like paths in 1/1000 em.
Usage: make_font.py DejaVuSans.ttf > font_outlines.cpp (Debian: fonts-dejavu-core)."""
import struct, sys

data = open(sys.argv[1], "rb").read()
tables = {}
for i in range(struct.unpack(">H", data[4:6])[0]):
    tag, _, at, size = struct.unpack(">4sIII", data[12 + 16 * i:28 + 16 * i]); tables[tag.decode()] = data[at:at + size]
def u16(t, at): return struct.unpack(">H", t[at:at + 2])[0]
def i16(t, at): return struct.unpack(">h", t[at:at + 2])[0]
head, hhea, hmtx, loca, glyf = (tables[t] for t in ("head", "hhea", "hmtx", "loca", "glyf"))
em, long_loca, metrics = u16(head, 18), u16(head, 50), u16(hhea, 34)

def cmap():
    t = tables["cmap"]
    for i in range(u16(t, 2)):
        platform, encoding, at = struct.unpack(">HHI", t[4 + 8 * i:12 + 8 * i])
        if (platform, encoding) != (3, 1) or u16(t, at) != 4: continue
        n = u16(t, at + 6) // 2; ends = at + 14; starts = ends + 2 * n + 2; deltas = starts + 2 * n; ranges = deltas + 2 * n
        def find(c):
            for s in range(n):
                if u16(t, ends + 2 * s) >= c:
                    if u16(t, starts + 2 * s) > c: return 0
                    r = u16(t, ranges + 2 * s)
                    g = u16(t, ranges + 2 * s + r + 2 * (c - u16(t, starts + 2 * s))) if r else c
                    return (g + u16(t, deltas + 2 * s)) & 0xFFFF if g else 0
        return find

def contours(g):
    at, end = (struct.unpack(">II", loca[4 * g:4 * g + 8]) if long_loca else [2 * v for v in struct.unpack(">HH", loca[2 * g:2 * g + 4])])
    if at == end: return []
    t = glyf[at:end]; n = i16(t, 0)
    if n < 0: return composite(t)
    ends = [u16(t, 10 + 2 * i) for i in range(n)]; p = 10 + 2 * n; p += 2 + u16(t, p)
    flags = []
    while len(flags) <= ends[-1]:
        f = t[p]; p += 1; flags.append(f)
        if f & 8: flags += [f] * t[p]; p += 1
    def coordinates(p, short, same):
        out, v = [], 0
        for f in flags:
            if f & short: v += t[p] if f & same else -t[p]; p += 1
            elif not f & same: v += i16(t, p); p += 2
            out.append(v)
        return out, p
    xs, p = coordinates(p, 2, 16); ys, p = coordinates(p, 4, 32)
    points = list(zip(xs, ys, [f & 1 for f in flags]))
    return [points[b:e + 1] for b, e in zip([0] + [e + 1 for e in ends], ends)]

def composite(t):
    out, p = [], 10
    while True:
        flags, g = u16(t, p), u16(t, p + 2); p += 4
        dx, dy = (i16(t, p), i16(t, p + 2)) if flags & 1 else struct.unpack("bb", t[p:p + 2]); p += 4 if flags & 1 else 2
        a, b, c, d = 1, 0, 0, 1
        if flags & 8: a = d = i16(t, p) / 16384; p += 2
        elif flags & 64: a, d = i16(t, p) / 16384, i16(t, p + 2) / 16384; p += 4
        elif flags & 128: a, b, c, d = (i16(t, p + 2 * i) / 16384 for i in range(4)); p += 8
        out += [[(a * x + c * y + dx, b * x + d * y + dy, on) for x, y, on in k] for k in contours(g)]
        if not flags & 32: return out

def path(g):
    text = ""
    def at(p): return f"{round(1000 * p[0] / em)} {round(1000 * p[1] / em)}"
    for k in contours(g):
        full = []                              # on-curve points that TrueType leaves out, put in
        for p, q in zip(k, k[1:] + k[:1]):
            full.append(p)
            if not p[2] and not q[2]: full.append(((p[0] + q[0]) / 2, (p[1] + q[1]) / 2, 1))
        first = next(i for i, p in enumerate(full) if p[2]); full = full[first:] + full[:first]
        text += "M" + at(full[0]); i = 1
        while i < len(full):
            if full[i][2]: text += "L" + at(full[i]); i += 1
            else: text += "Q" + at(full[i]) + " " + at((full + full[:1])[i + 1]); i += 2
        text += "Z"
    return text

find = cmap()
print('''// Outlines of DejaVu Sans, written by make_font.py. DejaVu fonts are derived from Bitstream Vera, (c) 2003
// Bitstream, Inc.; the changes are in the public domain; glyphs may be copied, merged, embedded and changed.
#include "burin/apps/charts/font.h"

namespace burin::apps::charts {

// clang-format off
static constexpr Glyph all_glyphs[] = {''')
extra = "–—‘’“”…→−≤≥"
for c in list(range(32, 127)) + list(range(0xA0, 0x100)) + sorted(map(ord, extra)):
    g = find(c); advance = i16(hmtx, 4 * min(g, metrics - 1))
    print(f'    {{{c}, {round(1000 * advance / em)}, "{path(g)}"}},')
print('''};
// clang-format on

std::span<const Glyph> glyphs() {
  return all_glyphs;
}

}  // namespace burin::apps::charts''')
