#include <webp/decode.h>
#include <webp/demux.h>

#include <memory>

#include "burin/data/decoders.h"
#include "burin/data/exif.h"
#include "burin/kernels/base/error.h"

namespace burin::data {
namespace {

struct DeleteDemuxer {
  void operator()(WebPDemuxer* demuxer) const { WebPDemuxDelete(demuxer); }
};
using Demuxer = std::unique_ptr<WebPDemuxer, DeleteDemuxer>;

int orientation_of(const WebPDemuxer* demuxer) {
  WebPChunkIterator chunk{};
  int orientation = 1;
  if (WebPDemuxGetChunk(demuxer, "EXIF", 1, &chunk) != 0) {
    orientation = exif_orientation({chunk.chunk.bytes, chunk.chunk.size});
  }
  WebPDemuxReleaseChunkIterator(&chunk);
  return orientation;
}

/// Decodes the first frame into its place on the canvas; what it leaves free stays black.
bool decode_first_frame(const WebPDemuxer* demuxer, Image& canvas) {
  WebPIterator frame{};
  bool decoded = false;
  if (WebPDemuxGetFrame(demuxer, 1, &frame) != 0 && frame.complete != 0) {
    const Window place{frame.x_offset, frame.y_offset, frame.width, frame.height};
    const bool fits =
        place.left + place.width <= canvas.width && place.top + place.height <= canvas.height;
    uint8_t* first = canvas.row(place.top) + place.left * 3;
    const auto room = static_cast<size_t>(canvas.pixels.data() + canvas.pixels.size() - first);
    decoded = fits && WebPDecodeRGBInto(frame.fragment.bytes, frame.fragment.size, first, room,
                                        static_cast<int>(canvas.row_bytes())) != nullptr;
  }
  WebPDemuxReleaseIterator(&frame);
  return decoded;
}

/// The same on a background, which also shows where the frame leaves the canvas free.
bool compose_first_frame(const WebPDemuxer* demuxer, const std::array<uint8_t, 3>& background,
                         Image& canvas) {
  std::vector<uint8_t> rgba(static_cast<size_t>(canvas.width * canvas.height * 4), 0);
  WebPIterator frame{};
  bool decoded = false;
  if (WebPDemuxGetFrame(demuxer, 1, &frame) != 0 && frame.complete != 0 &&
      frame.x_offset + frame.width <= canvas.width &&
      frame.y_offset + frame.height <= canvas.height) {
    const int64_t first = (frame.y_offset * canvas.width + frame.x_offset) * 4;
    decoded = WebPDecodeRGBAInto(frame.fragment.bytes, frame.fragment.size, rgba.data() + first,
                                 rgba.size() - static_cast<size_t>(first),
                                 static_cast<int>(canvas.width * 4)) != nullptr;
  }
  WebPDemuxReleaseIterator(&frame);
  if (decoded) compose_rgba(rgba.data(), background, canvas);
  return decoded;
}

}  // namespace

Decoded decode_webp(std::span<const uint8_t> bytes, const DecodeOptions& options) {
  WebPBitstreamFeatures features{};
  const VP8StatusCode status = WebPGetFeatures(bytes.data(), bytes.size(), &features);
  require(status != VP8_STATUS_NOT_ENOUGH_DATA, Defect::truncated,
          "WebP is truncated within its header");
  require(status == VP8_STATUS_OK, Defect::corrupt, "corrupt WebP header");
  check_size(features.width, features.height, options);

  const WebPData data{bytes.data(), bytes.size()};
  WebPDemuxState state{};
  const Demuxer demuxer(WebPDemuxPartial(&data, &state));
  require(demuxer != nullptr && state != WEBP_DEMUX_PARSE_ERROR, Defect::corrupt, "corrupt WebP");
  require(state == WEBP_DEMUX_DONE, Defect::truncated, "WebP is truncated");
  Decoded decoded;
  decoded.image = Image(WebPDemuxGetI(demuxer.get(), WEBP_FF_CANVAS_WIDTH),
                        WebPDemuxGetI(demuxer.get(), WEBP_FF_CANVAS_HEIGHT));
  if (options.background && features.has_alpha != 0) {
    require(compose_first_frame(demuxer.get(), *options.background, decoded.image), Defect::corrupt,
            "corrupt WebP data");
  } else {
    require(decode_first_frame(demuxer.get(), decoded.image), Defect::corrupt, "corrupt WebP data");
  }
  decoded.source = {.format = ImageFormat::webp,
                    .mode = features.has_alpha != 0 ? "rgb+alpha" : "rgb",
                    .animated = WebPDemuxGetI(demuxer.get(), WEBP_FF_FRAME_COUNT) > 1,
                    .orientation = orientation_of(demuxer.get())};
  return decoded;
}

}  // namespace burin::data
