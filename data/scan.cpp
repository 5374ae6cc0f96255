#include "burin/data/scan.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cctype>
#include <exception>
#include <map>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include "burin/data/file.h"
#include "burin/data/look.h"
#include "burin/kernels/base/error.h"

namespace burin::data {
namespace {

namespace fs = std::filesystem;

/// What is kept of a file while the others are read.
struct Fingerprint {
  int64_t bytes = 0;
  uint64_t content = 0;  // hash of the bytes
  Look look;             // nothing unless decoded
};

/// FNV-1a over eight bytes at a time: duplicates are told by size and this.
uint64_t content_hash(const std::vector<uint8_t>& bytes) {
  constexpr uint64_t prime = 0x100000001B3u;
  uint64_t hash = 0xCBF29CE484222325u;
  for (size_t at = 0; at < bytes.size(); at += 8) {
    uint64_t word = 0;
    const size_t end = std::min(at + 8, bytes.size());
    for (size_t i = at; i < end; ++i) word = word << 8 | bytes[i];
    hash = std::rotl((hash ^ word) * prime, 29);
  }
  return hash;
}

/// Adds a finding; the worst one is the verdict.
void add(ScanResult& result, Verdict verdict, const std::string& reason) {
  result.verdict = std::min(result.verdict, verdict);
  if (!result.reason.empty()) result.reason += "; ";
  result.reason += reason;
}

Verdict verdict_of(Defect defect, bool named_like_an_image) {
  switch (defect) {
    case Defect::empty:
      return Verdict::empty;
    case Defect::unsupported:
      return named_like_an_image ? Verdict::unsupported : Verdict::other;
    case Defect::too_large:
      return Verdict::bomb;
    case Defect::truncated:
      return Verdict::truncated;
    case Defect::corrupt:
      return Verdict::corrupt;
  }
  return Verdict::corrupt;
}

/// Named like an image: also of a format that we don't read.
bool is_image_name(const fs::path& file) {
  static constexpr std::array<std::string_view, 9> unread = {
      ".tif", ".tiff", ".avif", ".heic", ".heif", ".jp2", ".qoi", ".pfm", ".pbm"};
  std::string extension = file.extension().string();
  if (format_of_extension(extension)) return true;
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return std::find(unread.begin(), unread.end(), extension) != unread.end();
}

void describe(const Decoded& decoded, ScanResult& result) {
  const SourceInfo& source = decoded.source;
  const std::string extension = result.file.extension().string();
  if (format_of_extension(extension) != source.format) {
    add(result, Verdict::wrong_extension,
        str("is ", source.format, ", its name says '", extension, "'"));
  }
  if (decoded.image.width == 1 || decoded.image.height == 1) {
    add(result, Verdict::tiny,
        str("has ", decoded.image.width, "x", decoded.image.height, " pixels"));
  }
  if (source.mode != "rgb" || source.bits > 8) {
    add(result, Verdict::not_rgb, str(source.mode, ", ", source.bits, " bits a channel"));
  }
  if (source.animated) add(result, Verdict::animated, "animated, the first frame is taken");
}

/// Everything that one file tells by itself. Throws OutOfMemory.
Fingerprint examine(ScanResult& result, const DecodeOptions& options) {
  Fingerprint print;
  std::vector<uint8_t> bytes;
  try {
    bytes = read_file(result.file);
  } catch (const OutOfMemory&) {
    throw;  // no fault of the file: nothing that can be read is to be moved away
  } catch (const Error& error) {
    add(result, Verdict::unreadable, error.what());
    return print;
  }
  print.bytes = static_cast<int64_t>(bytes.size());
  print.content = content_hash(bytes);
  const std::string name = result.file.string();
  try {
    const Decoded decoded = decode_with_info(bytes, name, options);
    describe(decoded, result);
    print.look = look_of(decoded.image);
  } catch (const DecodeError& error) {
    add(result, verdict_of(error.defect(), is_image_name(result.file)),
        std::string(error.what()).substr(name.size() + 2));
  }
  return print;
}

void find_duplicates(std::vector<ScanResult>& results, const std::vector<Fingerprint>& prints) {
  std::map<std::pair<int64_t, uint64_t>, size_t> first;
  for (size_t i = 0; i < results.size(); ++i) {
    if (prints[i].bytes == 0) continue;
    const auto [known, is_new] = first.emplace(std::pair(prints[i].bytes, prints[i].content), i);
    if (is_new) continue;
    results[i].twin = results[known->second].file;
    add(results[i], Verdict::duplicate, "same bytes as " + results[i].twin.string());
  }
}

void find_near_duplicates(std::vector<ScanResult>& results, const std::vector<Fingerprint>& prints,
                          int distance) {
  std::vector<size_t> earlier;
  for (size_t i = 0; i < results.size(); ++i) {
    if (prints[i].look.hash == 0 || !results[i].twin.empty()) continue;
    const auto twin = std::find_if(earlier.begin(), earlier.end(), [&](size_t j) {
      return look_alike(prints[i].look, prints[j].look, distance);
    });
    if (twin == earlier.end()) {
      earlier.push_back(i);
      continue;
    }
    results[i].twin = results[*twin].file;
    add(results[i], Verdict::near_duplicate, "looks like " + results[i].twin.string());
  }
}

void collect(const fs::path& directory, std::vector<fs::path>& files) {
  std::error_code error;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    std::error_code ignored;
    if (it->path().filename().native().starts_with('.')) continue;
    if (it->is_symlink(ignored) && it->is_directory(ignored)) {
      continue;  // may lead round in a circle
    }
    if (it->is_directory(ignored)) {
      collect(it->path(), files);
    } else {
      files.push_back(it->path());
    }
  }
  check(!error, directory.string(), ": can't be listed: ", error.message());
}

}  // namespace

std::string_view name_of(Verdict verdict) {
  constexpr std::array<std::string_view, 14> names = {
      "unreadable", "empty",           "unsupported", "bomb",      "truncated",
      "corrupt",    "wrong_extension", "tiny",        "duplicate", "near_duplicate",
      "not_rgb",    "animated",        "other",       "ok"};
  return names[static_cast<size_t>(verdict)];
}

std::ostream& operator<<(std::ostream& out, Verdict verdict) {
  return out << name_of(verdict);
}

std::vector<fs::path> files_below(const fs::path& directory) {
  std::error_code error;
  check(fs::exists(directory, error), directory.string(), ": no such folder");
  check(fs::is_directory(directory, error), directory.string(), ": is a file, not a folder");
  std::vector<fs::path> files;
  collect(directory, files);
  std::sort(files.begin(), files.end(),
            [](const fs::path& a, const fs::path& b) { return a.native() < b.native(); });
  return files;
}

std::vector<ScanResult> scan(const std::vector<fs::path>& files, const ScanOptions& options) {
  check(options.workers >= 1, "scan: workers must be at least 1, got ", options.workers);
  const auto total = static_cast<int64_t>(files.size());
  std::vector<ScanResult> results(files.size());
  std::vector<Fingerprint> prints(files.size());
  std::atomic<int64_t> next = 0;
  std::mutex progress_mutex;
  int64_t done = 0;
  std::exception_ptr stopped;  // by `progress`, or for want of memory
  const auto examine_one = [&](size_t i) {
    results[i].file = files[i];
    prints[i] = examine(results[i], options.decode);
    const std::lock_guard lock(progress_mutex);
    ++done;
    if (options.progress) options.progress(done, total);
  };
  const auto work = [&] {
    try {
      for (int64_t i = next++; i < total; i = next++) examine_one(static_cast<size_t>(i));
    } catch (...) {
      const std::lock_guard lock(progress_mutex);
      stopped = std::current_exception();
      next = total;
    }
  };
  {
    std::vector<std::jthread> workers;
    try {
      for (int i = 1; i < options.workers; ++i) workers.emplace_back(work);
    } catch (...) {
      next = total;  // those that could be started have nothing to do
      throw;
    }
    work();
  }
  if (stopped) std::rethrow_exception(stopped);
  find_duplicates(results, prints);
  if (options.near_distance >= 0) find_near_duplicates(results, prints, options.near_distance);
  return results;
}

}  // namespace burin::data
