// A file of records: length u64, masked CRC of the length, payload, masked CRC of the payload. A
// payload is a protocol buffer `Event`: wall_time = 1 (double), step = 2 (varint), file_version = 3
// (string), summary = 5 { value = 1 { tag = 1 (string), simple_value = 2 (float) } }.
#include "burin/apps/report/tensorboard.h"

#include <bit>
#include <ctime>

#include "burin/tensor/files/atomic_file.h"

namespace burin::apps {
namespace {

constexpr std::string_view name_begins = "events.out.tfevents.", name_ends = ".burin";

template <class T>
std::string little_endian(T value) {
  std::string bytes;
  for (size_t i = 0; i < sizeof(T); ++i) bytes += static_cast<char>(value >> (8 * i) & 0xFF);
  return bytes;
}

std::string varint(uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>((value & 0x7F) | 0x80);
  return bytes + static_cast<char>(value);
}

// Fields by wire type: 0 varint, 1 eight bytes, 2 bytes with their length, 5 four bytes.
std::string key(int field, int wire_type) {
  return varint(static_cast<uint64_t>(field << 3 | wire_type));
}
std::string bytes_field(int field, std::string_view bytes) {
  return key(field, 2) + varint(bytes.size()) + std::string(bytes);
}
std::string event(double wall_time, const std::string& rest) {
  return key(1, 1) + little_endian(std::bit_cast<uint64_t>(wall_time)) + rest;
}

std::string scalar(std::string_view tag, double value) {
  const std::string content = bytes_field(1, tag) + key(2, 5) +
                              little_endian(std::bit_cast<uint32_t>(static_cast<float>(value)));
  return bytes_field(1, content);
}

std::string record(const std::string& payload) {
  const auto masked = [](std::string_view bytes) {
    return little_endian(std::rotr(crc32c(bytes), 15) + 0xA282EAD8u);
  };
  const std::string length = little_endian(uint64_t{payload.size()});
  return length + masked(length) + payload + masked(payload);
}

}  // namespace

uint32_t crc32c(std::string_view bytes) {
  uint32_t crc = ~0u;
  for (const char byte : bytes) {
    crc ^= static_cast<unsigned char>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78u : 0);
  }
  return ~crc;
}

std::string tensorboard_events(const std::vector<EpochResult>& epochs, double start) {
  std::string file = record(event(start, bytes_field(3, "brain.Event:2")));
  double time = start;
  for (const EpochResult& e : epochs) {
    time += e.seconds;
    const std::string summary =
        scalar("loss/train", e.train_loss) + scalar("loss/val", e.val_loss) +
        scalar("metrics/accuracy", e.accuracy) + scalar("metrics/precision", e.precision) +
        scalar("metrics/recall", e.recall) + scalar("metrics/f1", e.f1) +
        scalar("learning_rate", e.learning_rate) + scalar("images_per_second", e.images_per_second);
    file += record(
        event(time, key(2, 0) + varint(static_cast<uint64_t>(e.epoch)) + bytes_field(5, summary)));
  }
  return file;
}

void write_tensorboard(const std::filesystem::path& folder,
                       const std::vector<EpochResult>& epochs) {
  std::vector<std::filesystem::path> earlier;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(name_begins) && name.ends_with(name_ends)) earlier.push_back(entry.path());
  }
  double seconds = 0;
  for (const EpochResult& e : epochs) seconds += e.seconds;
  const double start = static_cast<double>(std::time(nullptr)) - seconds;
  const std::filesystem::path file =
      folder / str(name_begins, static_cast<int64_t>(start), name_ends);
  write_file(file.string(), tensorboard_events(epochs, start));
  for (const std::filesystem::path& other : earlier) {
    if (other != file) std::filesystem::remove(other);
  }
}

}  // namespace burin::apps
