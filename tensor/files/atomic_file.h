#pragma once

#include <string>
#include <string_view>

#include "burin/tensor/files/bytes.h"

namespace burin {

/// A file that can't be written: the disk, the folder or its rights are at fault, and no input.
class WriteError : public Error {
 public:
  using Error::Error;
  ~WriteError() override;
};

/// A file that appears whole or not at all, also when the power fails: it is written under another
/// name in the same folder, flushed, and renamed by commit(). Without commit() (an exception, say)
/// nothing is left behind and a file that was there is untouched. A symbolic link stays one: the
/// file that it names is written.
class AtomicFile {
 public:
  /// Throws WriteError where the folder does not exist or can't be written, and where something
  /// else than a file has the name: a folder, or a device such as /dev/stdout, which the new file
  /// would replace.
  explicit AtomicFile(const std::string& path);
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile();

  /// Throws WriteError where the disk is full.
  void write(Bytes bytes);
  void write(std::string_view text) { write(as_bytes(text)); }
  /// Bytes written so far.
  uint64_t position() const { return position_; }
  /// Flushes the file, gives it its name and flushes the folder.
  void commit();
  /// The same without waiting for the disk: for thousands of files that can be made again.
  void commit_without_flush();

 private:
  void fail_with_errno(std::string_view doing) const;
  void close_file();

  std::string path_;
  std::string target_;     // path_, or what it leads to
  std::string temporary_;  // empty once committed
  int file_ = -1;
  uint64_t position_ = 0;
};

/// Removes what processes that were killed in the midst of writing to `folder` have left there.
/// What lives on this machine keeps its files.
void remove_leftovers(const std::string& folder);

/// The whole of a small file at once.
void write_file(const std::string& path, std::string_view content);

}  // namespace burin
