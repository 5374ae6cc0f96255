#include "burin/apps/image_file.h"

#include "burin/data/encode.h"
#include "burin/tensor/files/atomic_file.h"

namespace burin::apps {

void write_bytes(const std::string& path, const std::vector<uint8_t>& bytes) {
  write_file(path, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

void write_image(const std::string& path, const data::Image& image) {
  write_bytes(path, path.ends_with(".jpg") ? data::encode_jpeg(image) : data::encode_png(image));
}

}  // namespace burin::apps
