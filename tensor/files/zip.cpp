#include "burin/tensor/files/zip.h"

#include <zlib.h>

#include <algorithm>
#include <limits>

namespace burin {
namespace {

constexpr uint32_t local_signature = 0x04034b50;      // 4.3.7 local file header
constexpr uint32_t directory_signature = 0x02014b50;  // 4.3.12 central directory header
constexpr uint32_t end_signature = 0x06054b50;        // 4.3.16 end of central directory record
constexpr uint32_t end64_signature = 0x06064b50;  // 4.3.14 zip64 end of central directory record
constexpr uint32_t locator64_signature = 0x07064b50;  // 4.3.15 zip64 locator
constexpr size_t local_bytes = 30, directory_bytes = 46, end_bytes = 22, end64_bytes = 56,
                 locator64_bytes = 20;
constexpr uint32_t see_zip64 = 0xffffffff;
constexpr uint16_t flag_encrypted = 1, flag_utf8 = 1 << 11;

void append(std::string& out, std::initializer_list<std::pair<uint64_t, size_t>> fields) {
  for (const auto& [value, bytes] : fields) {
    out.append(reinterpret_cast<const char*>(&value), bytes);
  }
}

/// 4.5.3: the zip64 extra field holds, in this order, those of the values that did not fit.
void read_zip64_extra(Bytes extra, uint64_t& size, uint64_t& packed, uint64_t& offset) {
  ByteReader reader(extra, "zip: an extra field");
  while (reader.remaining() >= 4) {
    const auto id = reader.number<uint16_t>();
    ByteReader field(reader.take(reader.number<uint16_t>()), "zip: a zip64 field");
    if (id != 1) continue;
    for (uint64_t* const value : {&size, &packed, &offset}) {
      if (*value == see_zip64) *value = field.number<uint64_t>();
    }
    return;
  }
}

}  // namespace

uint32_t crc32(Bytes bytes) {
  return static_cast<uint32_t>(
      ::crc32_z(0, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()));
}

ZipReader::ZipReader(Bytes file) : file_(file) {
  const Directory directory = find_directory();
  ByteReader reader(file_.subspan(directory.offset, directory.size), "zip: the central directory");
  check(directory.count <= directory.size / directory_bytes, "zip: ", directory.count,
        " entries do not fit a central directory of ", directory.size, " bytes");
  for (uint64_t i = 0; i < directory.count; ++i) {
    entries_.push_back(read_entry(reader));
    check(index_.emplace(entries_.back().name, entries_.size() - 1).second,
          "zip: two entries are called '", entries_.back().name, "'");
  }
  check(reader.remaining() == 0, "zip: ", reader.remaining(),
        " bytes too many in the central directory");

  // From the back of the file to its front: each entry must end before the one behind it begins,
  // which is known to lie inside the file.
  std::vector<Entry*> order;
  for (Entry& entry : entries_) order.push_back(&entry);
  std::sort(order.begin(), order.end(),
            [](const Entry* a, const Entry* b) { return a->header_offset > b->header_offset; });
  uint64_t limit = directory.offset;
  for (Entry* const entry : order) {
    locate_content(*entry, limit);
    limit = entry->header_offset;
  }
}

ZipReader::Directory ZipReader::find_directory() const {
  check(file_.size() >= end_bytes, "zip: ", file_.size(), " bytes are too few for an archive");
  // The end record is followed by a comment of at most 65,535 bytes, whose length it tells.
  const size_t last = file_.size() - end_bytes;
  const size_t first = last - std::min<size_t>(last, std::numeric_limits<uint16_t>::max());
  for (size_t at = last + 1; at-- > first;) {
    if (load<uint32_t>(&file_[at]) != end_signature) continue;
    if (load<uint16_t>(&file_[at + 20]) != last - at) continue;
    const bool whole = load<uint16_t>(&file_[at + 4]) == load<uint16_t>(&file_[at + 6]);
    Directory directory = {load<uint32_t>(&file_[at + 16]), load<uint32_t>(&file_[at + 12]),
                           load<uint16_t>(&file_[at + 10])};
    size_t end = at;
    if (at >= locator64_bytes &&
        load<uint32_t>(&file_[at - locator64_bytes]) == locator64_signature) {
      directory = find_directory64(at);
      end = load<uint64_t>(&file_[at - locator64_bytes + 8]);
    }
    check(whole, "zip: an archive in several parts");
    check(directory.offset <= end && directory.size == end - directory.offset,
          "zip: the central directory (", directory.size, " bytes at ", directory.offset,
          ") does not end where its end record begins (", end, ")");
    return directory;
  }
  fail("zip: no end of central directory: the file is cut off or no archive");
}

ZipReader::Directory ZipReader::find_directory64(size_t end_record) const {
  const auto at = load<uint64_t>(&file_[end_record - locator64_bytes + 8]);
  const size_t most = end_record - locator64_bytes;
  check(at <= most && most - at >= end64_bytes && load<uint32_t>(&file_[at]) == end64_signature,
        "zip: the zip64 end record is not at byte ", at);
  return {load<uint64_t>(&file_[at + 48]), load<uint64_t>(&file_[at + 40]),
          load<uint64_t>(&file_[at + 32])};
}

ZipReader::Entry ZipReader::read_entry(ByteReader& directory) const {
  const std::byte* const header = directory.take(directory_bytes).data();
  check(load<uint32_t>(header) == directory_signature, "zip: no directory entry at byte ",
        directory.position() - directory_bytes, " of the central directory");
  Entry entry;
  entry.name = as_text(directory.take(load<uint16_t>(header + 28)));
  const Bytes extra = directory.take(load<uint16_t>(header + 30));
  directory.take(load<uint16_t>(header + 32));  // the comment

  check((load<uint16_t>(header + 8) & flag_encrypted) == 0, "zip: '", entry.name, "' is encrypted");
  entry.compressed = load<uint16_t>(header + 10) != 0;
  entry.crc = load<uint32_t>(header + 16);
  uint64_t packed = load<uint32_t>(header + 20);
  entry.size = load<uint32_t>(header + 24);
  entry.header_offset = load<uint32_t>(header + 42);
  read_zip64_extra(extra, entry.size, packed, entry.header_offset);
  check(entry.compressed || packed == entry.size, "zip: '", entry.name, "' is stored, but ", packed,
        " bytes are said to hold ", entry.size);
  if (entry.compressed) entry.size = packed;
  return entry;
}

void ZipReader::locate_content(Entry& entry, uint64_t limit) const {
  check(entry.header_offset <= limit && limit - entry.header_offset >= local_bytes, "zip: '",
        entry.name, "' overlaps what follows it");
  const std::byte* const header = &file_[entry.header_offset];
  check(load<uint32_t>(header) == local_signature, "zip: '", entry.name,
        "' has no local header at byte ", entry.header_offset);
  const uint64_t name_bytes = load<uint16_t>(header + 26);
  const uint64_t extra_bytes = load<uint16_t>(header + 28);
  const uint64_t room = limit - entry.header_offset - local_bytes;
  check(name_bytes + extra_bytes <= room && entry.size <= room - name_bytes - extra_bytes, "zip: '",
        entry.name, "' of ", entry.size, " bytes overlaps what follows it");
  const Bytes name = file_.subspan(entry.header_offset + local_bytes, name_bytes);
  check(as_text(name) == entry.name, "zip: '", entry.name,
        "' has another name in its local header");
  entry.content =
      file_.subspan(entry.header_offset + local_bytes + name_bytes + extra_bytes, entry.size);
}

const ZipReader::Entry* ZipReader::find(std::string_view name) const {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : &entries_[found->second];
}

Bytes ZipReader::verified(const Entry& entry) {
  check(!entry.compressed, "zip: '", entry.name,
        "' is compressed: torch.save stores; pack the archive again without compression");
  const uint32_t crc = crc32(entry.content);
  check(crc == entry.crc, "zip: '", entry.name, "' is damaged: CRC-32 is ", std::hex, crc,
        ", expected ", entry.crc);
  return entry.content;
}

void ZipWriter::add(std::string_view name, Bytes content) {
  constexpr uint64_t alignment = 64;
  const uint64_t offset = file_.position();
  check(offset + content.size() < see_zip64 - (1u << 26) && count_ < 0xffff,
        "zip: more than 4 GiB or 65,535 tensors do not fit a .pth file of burin's; "
        "save as .safetensors");
  const uint32_t crc = crc32(content);

  // The padding is an extra field of its own: id "FB" (torch's), length, filling.
  const uint64_t before = offset + local_bytes + name.size() + 4;
  const uint64_t padding = (alignment - before % alignment) % alignment;
  std::string header;
  append(header, {{local_signature, 4}, {20, 2}, {flag_utf8, 2}, {0, 2}, {0, 2}, {0x21, 2}});
  append(header, {{crc, 4}, {content.size(), 4}, {content.size(), 4}});
  append(header, {{name.size(), 2}, {padding + 4, 2}});
  header += name;
  header += "FB";
  append(header, {{padding, 2}});
  header.append(padding, 'Z');
  file_.write(header);
  file_.write(content);

  append(directory_, {{directory_signature, 4}, {20, 2}, {20, 2}, {flag_utf8, 2}, {0, 2}, {0, 2}});
  append(directory_, {{0x21, 2}, {crc, 4}, {content.size(), 4}, {content.size(), 4}});
  append(directory_, {{name.size(), 2}, {0, 2}, {0, 2}, {0, 2}, {0, 2}, {0, 4}, {offset, 4}});
  directory_ += name;
  ++count_;
}

void ZipWriter::finish() {
  const uint64_t offset = file_.position();
  file_.write(directory_);
  std::string end;
  append(end, {{end_signature, 4}, {0, 2}, {0, 2}, {count_, 2}, {count_, 2}});
  append(end, {{directory_.size(), 4}, {offset, 4}, {0, 2}});
  file_.write(end);
}

}  // namespace burin
