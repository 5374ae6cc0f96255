#include "burin/tensor/files/zip.h"

#include <gtest/gtest.h>

#include <functional>
#include <random>

#include "support/expect_error.h"
#include "support/temporary_folder.h"

namespace burin {
namespace {

using testing_support::read_whole;
using testing_support::TemporaryFolder;

/// Two entries as burin writes them.
std::string small_archive() {
  const TemporaryFolder folder;
  AtomicFile file(folder.file("a.zip"));
  ZipWriter zip(file);
  zip.add("a/data.pkl", as_bytes("first"));
  zip.add("a/data/0", as_bytes("the second"));
  zip.finish();
  file.commit();
  return read_whole(folder.file("a.zip"));
}

void put(std::string& file, size_t at, uint64_t value, size_t bytes) {
  std::memcpy(file.data() + at, &value, bytes);
}

TEST(Zip, ReadsWhatItWrites) {
  const std::string file = small_archive();
  const ZipReader zip(as_bytes(file));
  ASSERT_EQ(zip.entries().size(), 2u);
  EXPECT_EQ(zip.entries()[0].name, "a/data.pkl");
  EXPECT_EQ(as_text(ZipReader::verified(*zip.find("a/data/0"))), "the second");
  EXPECT_EQ(zip.find("a/data/1"), nullptr);
  for (const ZipReader::Entry& entry : zip.entries()) {
    EXPECT_EQ((entry.content.data() - as_bytes(file).data()) % 64, 0);
  }
}

TEST(Zip, AcceptsACommentBehindTheDirectory) {
  std::string file = small_archive() + "PK\x05\x06 a comment that looks like an end record";
  put(file, small_archive().size() - 2, file.size() - small_archive().size(), 2);
  EXPECT_EQ(ZipReader(as_bytes(file)).entries().size(), 2u);
}

/// The archive with its sizes and offsets moved to zip64 records, as those above 4 GiB have them.
std::string zip64_archive() {
  const std::string small = small_archive();
  const size_t end = small.size() - 22;
  const auto directory = load<uint32_t>(as_bytes(small).data() + end + 16);
  std::string file = small.substr(0, directory);
  for (size_t at = directory; at < end;) {
    std::string header = small.substr(at, 46);
    const auto name_bytes = load<uint16_t>(as_bytes(header).data() + 28);
    const auto size = load<uint32_t>(as_bytes(header).data() + 24);
    const auto offset = load<uint32_t>(as_bytes(header).data() + 42);
    put(header, 20, 0xffffffffffffffff, 8);
    put(header, 42, 0xffffffff, 4);
    put(header, 30, 28, 2);
    std::string extra(28, '\0');
    put(extra, 0, 1, 2);
    put(extra, 2, 24, 2);
    put(extra, 4, size, 8);
    put(extra, 12, size, 8);
    put(extra, 20, offset, 8);
    file += header + small.substr(at + 46, name_bytes) + extra;
    at += 46 + size_t{name_bytes};
  }
  const uint64_t end64 = file.size();
  std::string record(56 + 20 + 22, '\0');
  put(record, 0, 0x06064b50, 4);
  put(record, 4, 44, 8);
  put(record, 24, 2, 8);
  put(record, 32, 2, 8);
  put(record, 40, end64 - directory, 8);
  put(record, 48, directory, 8);
  put(record, 56, 0x07064b50, 4);
  put(record, 64, end64, 8);
  put(record, 72, 1, 4);
  put(record, 76, 0x06054b50, 4);
  put(record, 84, 0xffffffff, 4);
  put(record, 88, 0xffffffffffffffff, 8);
  return file + record;
}

TEST(Zip, ReadsZip64) {
  const std::string file = zip64_archive();
  const ZipReader zip(as_bytes(file));
  EXPECT_EQ(as_text(ZipReader::verified(*zip.find("a/data/0"))), "the second");
}

TEST(Zip, RefusesDamage) {
  const std::string sound = small_archive();
  const size_t end = sound.size() - 22;
  const auto directory = load<uint32_t>(as_bytes(sound).data() + end + 16);
  const auto broken = [&](size_t at, uint64_t value, size_t bytes) {
    std::string file = sound;
    put(file, at, value, bytes);
    return file;
  };
  const auto open_all = [](const std::string& file) {
    const ZipReader zip(as_bytes(file));
    for (const ZipReader::Entry& entry : zip.entries()) ZipReader::verified(entry);
  };
  const std::pair<std::string, const char*> cases[] = {
      {broken(64, 'F', 1), "CRC-32 is"},
      {broken(directory + 10, 8, 2), "'a/data.pkl' is compressed"},
      {broken(directory + 8, 1, 2), "'a/data.pkl' is encrypted"},
      {broken(directory, 0, 4), "no directory entry at byte 0"},
      {broken(directory + 24, 6, 4), "is stored, but 5 bytes are said to hold 6"},
      {broken(directory + 20, 0x400000004, 8), "CRC-32 is"},
      {broken(directory + 20, 0x600000006, 8), "of 6 bytes overlaps what follows it"},
      {broken(directory + 20, 0xfff00000fff, 8), "overlaps what follows it"},
      {broken(directory + 42, 5, 4), "no local header at byte 5"},
      {broken(directory + 42, 0xfffffff, 4), "overlaps what follows it"},
      {broken(30, 'b', 1), "another name in its local header"},
      {broken(end + 16, directory + 1, 4), "does not end where its end record begins"},
      {broken(end + 10, 3, 2), "3 entries do not fit"},
      {broken(end + 10, 1, 2), "bytes too many in the central directory"},
      {broken(end + 4, 1, 2), "several parts"},
      {sound.substr(0, end), "no end of central directory"},
      {std::string("PK\x03\x04"), "too few"},
  };
  for (const auto& [file, message] : cases) {
    SCOPED_TRACE(message);
    const std::string& archive = file;
    expect_error([&] { open_all(archive); }, message);
  }
}

TEST(Zip, RefusesTwoEntriesOfOneName) {
  const TemporaryFolder folder;
  AtomicFile file(folder.file("a.zip"));
  ZipWriter zip(file);
  zip.add("a", as_bytes("1"));
  zip.add("a", as_bytes("2"));
  zip.finish();
  file.commit();
  const std::string archive = read_whole(folder.file("a.zip"));
  expect_error([&] { ZipReader reader(as_bytes(archive)); }, "two entries are called 'a'");
}

TEST(Zip, SurvivesCutsAndFlips) {
  for (const std::string& sound : {small_archive(), zip64_archive()}) {
    for (size_t size = 0; size < sound.size(); ++size) {
      EXPECT_THROW(ZipReader(as_bytes(sound).first(size)), Error) << size;
    }
    std::mt19937 random(3);
    for (int i = 0; i < 20'000; ++i) {
      std::string flipped = sound;
      flipped[random() % flipped.size()] = static_cast<char>(random());
      flipped[flipped.size() - 1 - random() % 150] = static_cast<char>(random());
      try {
        const ZipReader zip(as_bytes(flipped));
        for (const ZipReader::Entry& entry : zip.entries()) ZipReader::verified(entry);
      } catch (const Error&) {
        continue;
      }
    }
  }
}

}  // namespace
}  // namespace burin
