#include "burin/tensor/files/atomic_file.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <optional>
#include <utility>
#include <vector>

namespace burin {
namespace {

/// Unused by other processes (the id) and by other threads of this one (the counter). Of a long
/// name only the beginning, so that whatever name a file system takes can be written.
std::string temporary_name(const std::string& path) {
  static std::atomic<unsigned> counter{0};
  constexpr size_t kept = 200;  // of the 255 bytes of a name
  const std::filesystem::path target(path);
  const std::string name =
      str(".", target.filename().string().substr(0, kept), ".", getpid(), "-", counter++);
  return (target.parent_path() / name).string();
}

/// The process whose temporary_name this is, if it is one.
std::optional<pid_t> writer_of(std::string_view name) {
  const size_t dot = name.rfind('.');
  if (!name.starts_with('.') || dot == 0 || dot == std::string_view::npos) return std::nullopt;
  pid_t writer = 0;
  unsigned counter = 0;
  const char* const end = name.data() + name.size();
  const auto [dash, no_id] = std::from_chars(name.data() + dot + 1, end, writer);
  if (no_id != std::errc() || writer <= 0 || dash == end || *dash != '-') return std::nullopt;
  const auto [rest, no_counter] = std::from_chars(dash + 1, end, counter);
  if (no_counter != std::errc() || rest != end) return std::nullopt;
  return writer;
}

/// The file that `path` names, past symbolic links, whether it is there or not. Throws WriteError
/// where another kind of thing is there.
std::string target_of(const std::string& path) {
  namespace fs = std::filesystem;
  const auto refuse_if = [&](bool condition, const char* reason) {
    if (condition) throw WriteError(str(path, ": ", reason));
  };
  std::error_code error;
  const fs::file_status there = fs::status(path, error);
  refuse_if(is_directory(there), "is a folder, not a file");
  refuse_if(exists(there) && !is_regular_file(there), "is no ordinary file");
  fs::path target = path;
  constexpr int most = 40;  // Linux follows as many
  for (int links = 0; fs::is_symlink(fs::symlink_status(target, error)); ++links) {
    refuse_if(links == most, "symbolic links lead round in a circle");
    // /dev/stdout, say: whoever has the file open would not see the one that takes its place.
    const fs::path folder = fs::weakly_canonical(target.parent_path(), error);
    refuse_if(folder.native().starts_with("/proc/"), "is no ordinary file");
    target = target.parent_path() / fs::read_symlink(target, error);
  }
  return target.string();
}

}  // namespace

WriteError::~WriteError() = default;

AtomicFile::AtomicFile(const std::string& path)
    : path_(path), target_(target_of(path)), temporary_(temporary_name(target_)) {
  // A leftover of a process of the same id that was killed is nobody's: truncate it.
  file_ = open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666);
  if (file_ < 0) {
    temporary_.clear();
    fail_with_errno("created");
  }
}

AtomicFile::~AtomicFile() {
  close_file();
  if (!temporary_.empty()) unlink(temporary_.c_str());
}

void AtomicFile::write(Bytes bytes) {
  check(file_ >= 0, path_, ": written to after commit");
  constexpr size_t most = size_t{1} << 30;  // Linux writes at most 2 GiB a call
  while (!bytes.empty()) {
    const ssize_t written = ::write(file_, bytes.data(), std::min(bytes.size(), most));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail_with_errno("written");
    bytes = bytes.subspan(static_cast<size_t>(written));
    position_ += static_cast<uint64_t>(written);
  }
}

void AtomicFile::commit() {
  check(file_ >= 0, path_, ": committed twice");
  if (fsync(file_) != 0) fail_with_errno("flushed");
  commit_without_flush();

  // The new name itself must reach the disk. Some file systems can't flush a folder: the file is
  // in place all the same.
  const std::filesystem::path parent = std::filesystem::path(target_).parent_path();
  const int folder =
      open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return;
  fsync(folder);
  close(folder);
}

void AtomicFile::commit_without_flush() {
  check(file_ >= 0, path_, ": committed twice");
  const int closed = close(std::exchange(file_, -1));
  if (closed != 0) fail_with_errno("closed");
  if (std::rename(temporary_.c_str(), target_.c_str()) != 0) fail_with_errno("renamed into place");
  temporary_.clear();
}

void AtomicFile::fail_with_errno(std::string_view doing) const {
  throw WriteError(str(path_, ": can't be ", doing, ": ", std::strerror(errno)));
}

void AtomicFile::close_file() {
  if (file_ >= 0) close(std::exchange(file_, -1));
}

void remove_leftovers(const std::string& folder) {
  std::error_code error;
  std::vector<std::filesystem::path> leftovers;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    const std::optional<pid_t> writer = writer_of(entry.path().filename().string());
    const bool gone = writer && kill(*writer, 0) != 0 && errno == ESRCH;
    if (gone && entry.is_regular_file(error)) leftovers.push_back(entry.path());
  }
  for (const std::filesystem::path& leftover : leftovers) std::filesystem::remove(leftover, error);
}

void write_file(const std::string& path, std::string_view content) {
  AtomicFile file(path);
  file.write(content);
  file.commit();
}

}  // namespace burin
