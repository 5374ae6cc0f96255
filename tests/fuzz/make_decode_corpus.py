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
