#include "burin/data/scan.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <map>
#include <sstream>

#include "data/noise.h"
#include "support/expect_error.h"
#include "support/temporary_folder.h"
#include "support/test_data.h"

namespace burin::data {
namespace {

using testing_support::noise;
using testing_support::source_folder;
using testing_support::TemporaryFolder;
using testing_support::test_data;
using testing_support::write_whole;

/// A picture with large shapes, as noise has no look, in a PPM file.
std::string ppm(int64_t side, int contrast, int turn) {
  std::string text = str("P6 ", side, " ", side, " 255\n");
  for (int64_t y = 0; y < side; ++y) {
    for (int64_t x = 0; x < side; ++x) {
      const int64_t u = (x * 8 / side + turn) * (y * 8 / side + 3) % 7;
      text += std::string(3, static_cast<char>(40 + contrast * static_cast<int>(u)));
    }
  }
  return text;
}

std::string sample(const std::string& name) {
  return testing_support::read_whole(
      (source_folder() / "tests/fuzz/corpus/decode" / name).string());
}

std::map<std::string, ScanResult> scan_folder(const TemporaryFolder& folder,
                                              ScanOptions options = {}) {
  std::map<std::string, ScanResult> results;
  for (const ScanResult& result : scan(files_below(folder.path()), options)) {
    results[result.file.lexically_relative(folder.path()).string()] = result;
  }
  return results;
}

TEST(Scan, OneVerdictPerFile) {
  const TemporaryFolder folder;
  const struct {
    const char* name;
    std::string content;
    Verdict verdict;
    const char* reason;
  } files[] = {
      {"a_good.ppm", ppm(64, 20, 1), Verdict::ok, ""},
      {"bomb.pgm", "P5 60000 60000 255\n", Verdict::bomb, "the header states 60000x60000 pixels"},
      {"corrupt.png", sample("rgb.png").replace(50, 1, "?"), Verdict::corrupt, "corrupt PNG: "},
      {"cut.jpg", sample("rgb_420.jpg").substr(0, 600), Verdict::truncated, "JPEG is truncated"},
      {"empty.jpg", "", Verdict::empty, "the file is empty"},
      {"grey.pgm", sample("grey.pgm"), Verdict::not_rgb, "grey, 8 bits a channel"},
      // Two findings: the worse is the verdict, the reason has both.
      {"moving.webp", sample("animated.webp"), Verdict::near_duplicate,
       "the first frame is taken; looks like"},
      {"notes.txt", "hello", Verdict::other, "not an image"},
      {"page.jpg", "<html>", Verdict::unsupported, "not an image of a format we know"},
      {"photo.tiff", std::string("II*\0", 4), Verdict::unsupported, "TIFF is not supported"},
      {"really_a_png.jpg", sample("rgb.png"), Verdict::wrong_extension,
       "is png, its name says '.jpg'"},
      {"really_an_image", ppm(64, 20, 3), Verdict::wrong_extension, "is pnm, its name says ''"},
      {"row.ppm", "P6 3 1 255\nabcdefghi", Verdict::tiny, "has 3x1 pixels"},
      {"same.ppm", ppm(64, 20, 1), Verdict::duplicate, "same bytes as "},
      {"similar.ppm", ppm(48, 20, 1), Verdict::near_duplicate, "looks like "},
      {"sub/other_contrast.ppm", ppm(64, 28, 1), Verdict::ok, ""},
  };
  std::filesystem::create_directory(folder.file("sub"));
  write_whole(folder.file(".hidden.jpg"), "");
  for (const auto& file : files) write_whole(folder.file(file.name), file.content);

  const auto results = scan_folder(folder);
  EXPECT_EQ(results.size(), std::size(files));
  for (const auto& file : files) {
    const ScanResult& result = results.at(file.name);
    EXPECT_EQ(result.verdict, file.verdict) << file.name << ": " << result.reason;
    EXPECT_NE(result.reason.find(file.reason), std::string::npos) << result.reason;
  }
  EXPECT_EQ(results.at("same.ppm").twin.filename(), "a_good.ppm");
  EXPECT_EQ(results.at("similar.ppm").twin.filename(), "a_good.ppm");
  EXPECT_TRUE(is_bad(Verdict::corrupt));
  EXPECT_FALSE(is_bad(Verdict::wrong_extension));

  const auto without = scan_folder(folder, {.near_distance = -1});
  EXPECT_EQ(without.at("similar.ppm").verdict, Verdict::ok);
}

TEST(Scan, IsTheSameWithAnyNumberOfWorkersAndTellsItsProgress) {
  const TemporaryFolder folder;
  for (int i = 0; i < 40; ++i) {
    write_whole(folder.file(str("f", i, ".ppm")), ppm(20 + i % 5, 20, i % 7));
  }
  const auto alone = scan_folder(folder, {.workers = 1});
  for (int workers = 2; workers <= 4; ++workers) {
    int64_t last = 0;
    const auto progress = [&](int64_t done, int64_t total) {
      EXPECT_EQ(done, last + 1);
      EXPECT_EQ(total, 40);
      last = done;
    };
    const auto together = scan_folder(folder, {.workers = workers, .progress = progress});
    EXPECT_EQ(last, 40);
    for (const auto& [name, result] : alone) {
      EXPECT_EQ(together.at(name).verdict, result.verdict);
      EXPECT_EQ(together.at(name).reason, result.reason);
    }
  }
  const auto stop = [](int64_t, int64_t) { fail("interrupted"); };
  expect_error([&] { scan_folder(folder, {.workers = 3, .progress = stop}); }, "interrupted");
}

TEST(Scan, AFileThatCannotBeReadHasAVerdict) {
  const auto results = scan({"/nowhere/a.jpg", "/dev/zero"});
  EXPECT_EQ(results[0].verdict, Verdict::unreadable);
  EXPECT_EQ(results[1].reason, "/dev/zero: not a regular file");
  const TemporaryFolder circle;
  std::filesystem::create_symlink("a.jpg", circle.file("a.jpg"));
  EXPECT_EQ(scan({circle.file("a.jpg")})[0].reason,
            circle.file("a.jpg") + ": Too many levels of symbolic links");
  expect_error([] { files_below("/nowhere"); }, "/nowhere: no such folder");
  expect_error([] { files_below("/dev/null"); }, "/dev/null: is a file, not a folder");
  if (geteuid() == 0) return;  // who may list everything
  const TemporaryFolder folder;
  const std::filesystem::path locked = folder.path() / "sub/locked";
  std::filesystem::create_directories(locked);
  std::filesystem::permissions(locked, std::filesystem::perms::none);
  for (const std::filesystem::path& above : {locked, folder.path()}) {
    expect_error([&] { files_below(above); }, "locked: can't be listed: Permission denied");
  }
  std::filesystem::permissions(locked, std::filesystem::perms::owner_all);
}

TEST(Scan, GivesEveryNastyFileAVerdict) {
  const auto folder = test_data("images-nasty");
  if (!folder) GTEST_SKIP() << "no data/images-nasty";
  std::map<Verdict, int> counts;
  std::map<Verdict, std::string> example;
  for (const ScanResult& result : scan(files_below(*folder))) {
    ++counts[result.verdict];
    std::string reason = result.reason;
    for (size_t at = 0; (at = reason.find(*folder + "/")) != std::string::npos;) {
      reason.erase(at, folder->size() + 1);
    }
    std::string& first = example[result.verdict];
    if (first.empty()) {
      first = "`" + result.file.lexically_relative(*folder).string() + "` " + reason;
    }
  }
  std::string table;
  for (const auto& [verdict, count] : counts) {
    table += str("| ", verdict, " | ", count, " | ", example[verdict], " |\n");
  }
  std::ostringstream page;
  page << std::ifstream(source_folder() / "docs/image_formats.md").rdbuf();
  EXPECT_NE(page.str().find(table), std::string::npos)
      << "docs/image_formats.md should hold this table of verdicts:\n"
      << table;
}

}  // namespace
}  // namespace burin::data
