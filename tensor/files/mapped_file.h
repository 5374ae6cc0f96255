#pragma once

#include <string>

#include "burin/tensor/files/bytes.h"

namespace burin {

/// A file read through the page cache: mapped, read-only, until the object dies.
class MappedFile {
 public:
  /// Throws Error where the file can't be opened or is no regular file.
  explicit MappedFile(const std::string& path);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  Bytes bytes() const { return bytes_; }
  /// Lets go of the memory behind a part that was read. It stays readable: from the page cache.
  void let_go(Bytes part) const;

 private:
  Bytes bytes_;
};

}  // namespace burin
