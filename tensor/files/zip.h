#pragma once

#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "burin/tensor/files/atomic_file.h"
#include "burin/tensor/files/bytes.h"

namespace burin {

/// CRC-32 as zip defines it.
uint32_t crc32(Bytes bytes);

/// A zip archive whose entries are stored, not compressed, as torch.save writes them: an entry is
/// then a window on the mapped file. (libzip would copy each entry.)
/// APPNOTE.TXT 6.3.10, https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT; zip64 included.
class ZipReader {
 public:
  /// Walks the central directory: local headers may leave sizes to a data descriptor. Throws Error
  /// where the archive is damaged, compressed, encrypted, or entries overlap.
  explicit ZipReader(Bytes file);

  struct Entry {
    std::string_view name;
    uint64_t header_offset = 0;
    uint64_t size = 0;
    uint32_t crc = 0;
    Bytes content;
    bool compressed = false;
  };
  /// In the order of the central directory.
  const std::vector<Entry>& entries() const { return entries_; }
  /// Null if there is none of that name.
  const Entry* find(std::string_view name) const;
  /// The entry's bytes. Throws Error if it is compressed or its CRC-32 is wrong.
  static Bytes verified(const Entry& entry);

 private:
  struct Directory {
    uint64_t offset = 0;
    uint64_t size = 0;
    uint64_t count = 0;
  };
  Directory find_directory() const;
  Directory find_directory64(size_t end_record) const;
  Entry read_entry(ByteReader& directory) const;
  void locate_content(Entry& entry, uint64_t limit) const;

  Bytes file_;
  std::vector<Entry> entries_;
  std::unordered_map<std::string_view, size_t> index_;
};

/// Writes a zip archive of stored entries whose contents begin at multiples of 64 bytes, as
/// torch.save does, so that a reader can map them. At most 4 GiB and 65,535 entries.
class ZipWriter {
 public:
  explicit ZipWriter(AtomicFile& file) : file_(file) {}
  void add(std::string_view name, Bytes content);
  /// Writes the directory. The caller commits the file.
  void finish();

 private:
  AtomicFile& file_;
  std::string directory_;
  uint16_t count_ = 0;
};

}  // namespace burin
