#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "burin/data/decode.h"

namespace burin::data {

/// What a scan says of a file, worst first. Down to `corrupt` the file can't be used at all.
enum class Verdict : uint8_t {
  unreadable,       // no permission, not a regular file, an I/O error
  empty,            // zero bytes
  unsupported,      // named like an image, but no format we read
  bomb,             // more pixels than allowed
  truncated,        // its end is missing
  corrupt,          // broken in another way
  wrong_extension,  // a sound image of another format than its name says
  tiny,             // one pixel wide or high
  duplicate,        // the same bytes as an earlier file
  near_duplicate,   // nearly the same picture as an earlier file
  not_rgb,          // sound: grey, a palette, alpha, CMYK or 16 bits, made RGB when it is read
  animated,         // sound: only the first frame is read
  other,            // neither named like an image nor one
  ok,
};

/// "truncated", "wrong_extension", …
std::string_view name_of(Verdict verdict);
std::ostream& operator<<(std::ostream& out, Verdict verdict);
/// True for a file that training would stumble over.
constexpr bool is_bad(Verdict verdict) {
  return verdict <= Verdict::corrupt;
}

struct ScanResult {
  std::filesystem::path file;
  Verdict verdict = Verdict::ok;  // the worst of what was found
  std::string reason;             // all that was found, in words; empty if ok
  std::filesystem::path twin;     // the earlier file, for a duplicate of either kind
};

struct ScanOptions {
  DecodeOptions decode = {};
  int workers = 2;
  /// Bits of 64 in which the difference hashes of near duplicates may differ; −1: don't look.
  int near_distance = 6;
  /// Told about every file that is done; called from one thread at a time.
  std::function<void(int64_t done, int64_t total)> progress = {};
};

/// The regular files below `directory`, sorted, without what begins with a dot.
/// Throws Error if there is no such folder, and for one below it that can't be listed.
std::vector<std::filesystem::path> files_below(const std::filesystem::path& directory);

/// One verdict for each file, in the given order; nothing that is in a file throws, crashes or
/// hangs. Throws OutOfMemory, which may have other reasons than the file that it names. Near
/// duplicates cost a comparison for every pair of files, some 10⁹ a second.
std::vector<ScanResult> scan(const std::vector<std::filesystem::path>& files,
                             const ScanOptions& options = {});

}  // namespace burin::data
