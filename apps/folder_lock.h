#pragma once

#include <string>
#include <utility>

namespace burin::apps {

/// Keeps two processes from writing one run: what one has written goes on from a state that the
/// other does not have. Given back when the object or the process ends, however it ends.
class FolderLock {
 public:
  /// Locks the folder by a file in it, which is made where it is missing. Throws Failure where
  /// another process has it, WriteError where the file can't be written. A file system that knows
  /// no locks gives none.
  explicit FolderLock(const std::string& file);
  FolderLock(FolderLock&& other) noexcept : file_(std::exchange(other.file_, -1)) {}
  FolderLock& operator=(FolderLock&&) = delete;
  ~FolderLock();

 private:
  int file_;
};

}  // namespace burin::apps
