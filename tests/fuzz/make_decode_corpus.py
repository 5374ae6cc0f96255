#!/usr/bin/python3
"""Writes corpus/decode/: one small picture (13x9) in every format and mode we read, for the decoder's
tests and as the fuzzer's first corpus. Made with Pillow 9.4; nothing in it is anybody's photo.
"""
import pathlib
import struct
import zlib

from PIL import Image

out = pathlib.Path(__file__).parent / "corpus" / "decode"
out.mkdir(exist_ok=True)
W, H = 13, 9
rgb = Image.new("RGB", (W, H))
rgb.putdata([(20 * x, 28 * y, (x * y * 5) % 256) for y in range(H) for x in range(W)])
grey = rgb.convert("L")
alpha = rgb.copy()
alpha.putalpha(Image.linear_gradient("L").resize((W, H)))
palette = rgb.convert("P", palette=Image.ADAPTIVE, colors=16)

rgb.save(out / "rgb_420.jpg", quality=80)
rgb.save(out / "rgb_444_progressive.jpg", quality=80, subsampling=0, progressive=True)
rgb.convert("CMYK").save(out / "cmyk.jpg", quality=80)
exif = Image.Exif()
exif[0x0112] = 1
grey.save(out / "grey_exif.jpg", quality=80, exif=exif)
for name, image in [("rgb", rgb), ("grey", grey), ("alpha", alpha), ("palette", palette),
                    ("one_bit", grey.convert("1"))]:
    image.save(out / f"{name}.png")
rgb.save(out / "lossy.webp", quality=70)
rgb.save(out / "lossless.webp", lossless=True)
alpha.save(out / "alpha.webp", quality=70)
rgb.save(out / "animated.webp", save_all=True, append_images=[rgb.transpose(Image.FLIP_LEFT_RIGHT)])
rgb.save(out / "rgb.bmp")
palette.save(out / "palette.bmp")
palette.save(out / "palette.gif")
rgb.save(out / "rgb.tga")
palette.save(out / "palette_rle.tga", compression="tga_rle")
rgb.save(out / "rgb.ppm")
grey.save(out / "grey.pgm")


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


samples = b"".join(struct.pack(">3H", 80 * x, 110 * y, 5 * x * y) for y in range(H) for x in range(W))
(out / "rgb_16.ppm").write_bytes(f"P6 # 13 columns\r{W} {H} # rows, maximum\n999\n".encode() + samples)

# What Pillow does not write: 16 bits, interlaced; PSD; Radiance HDR.
rows = b"".join(b"\0" + b"".join(struct.pack(">3H", 5000 * x, 7000 * y, 300 * x * y) for x in range(W))
                for y in range(H))
(out / "rgb_16.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", W, H, 16, 2, 0, 0, 0))
                                 + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
planes = b"".join(bytes(plane.getdata()) for plane in rgb.split())
(out / "rgb.psd").write_bytes(b"8BPS" + struct.pack(">H6xHIIHH", 1, 3, H, W, 8, 3)
                              + struct.pack(">IIIH", 0, 0, 0, 0) + planes)
pixels = b"".join(bytes((r, g, b, 128)) for r, g, b in rgb.getdata())
(out / "flat.hdr").write_bytes(b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n" + f"-Y {H} +X {W}\n".encode() + pixels)

# Run-length-encoded HDR and PSD; OS/2's BMP, whose palette has entries of three bytes.
lines = b"".join(bytes((2, 2, 0, W)) + b"".join(bytes((W,)) + bytes(rgb.getchannel(c).getdata())[y * W:y * W + W]
                                                for c in range(3)) + bytes((128 + W, 128)) for y in range(H))
(out / "run_length.hdr").write_bytes(b"#?RGBE\nFORMAT=32-bit_rle_rgbe\n\n" + f"-Y {H} +X {W}\n".encode() + lines)
runs = b"".join(bytes((W - 1,)) + bytes(plane.getdata())[y * W:y * W + W] for plane in rgb.split() for y in range(H))
(out / "run_length.psd").write_bytes(b"8BPS" + struct.pack(">H6xHIIHH", 1, 3, H, W, 8, 3)
                                     + struct.pack(">IIIH", 0, 0, 0, 1) + struct.pack(">H", W + 1) * (3 * H) + runs)


def os2_bmp(depth, row_bytes):
    colours = b"".join(bytes((i, 255 - i, 7 * i % 256)) for i in range(2**depth))
    rows = b"".join(bytes(255 - (row_bytes * y + x) % 256 for x in range(row_bytes)) for y in range(H))
    header = struct.pack("<IHHIIHHHH", 26 + len(colours) + len(rows), 0, 0, 26 + len(colours), 12, W, H, 1, depth)
    return b"BM" + header + colours + rows


for depth, row_bytes in [(1, 4), (4, 8), (8, 16)]:
    (out / f"os2_{depth}.bmp").write_bytes(os2_bmp(depth, row_bytes))


def long_raster_gif():
    """One pixel, and codes that each stand for one pixel more than the code before."""
    bits = count = 0
    known, size = 6, 3
    for code in [4, 0] + list(range(6, 2000)):
        bits |= code << count
        count += size
        known += code >= 6
        size += code >= 6 and known == 1 << size
    data = bits.to_bytes((count + 7) // 8, "little")
    blocks = b"".join(bytes((len(data[i:i + 255]),)) + data[i:i + 255] for i in range(0, len(data), 255))
    return (b"GIF89a" + struct.pack("<HHBBB6x", 1, 1, 0x80, 0, 0) + b"," + struct.pack("<HHHHBB", 0, 0, 1, 1, 0, 2)
            + blocks + b"\0;")


refused = out / "refused"
refused.mkdir(exist_ok=True)
(refused / "long_raster.gif").write_bytes(long_raster_gif())
