// Every file of data/images-nasty beside what Pillow 9.4 made of it (manifest.tsv). Where we differ
// is written in docs/image_formats.md, and that table is what this test compares with.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>

#include "burin/data/decode.h"
#include "burin/kernels/base/error.h"
#include "data/sha256.h"
#include "support/test_data.h"

namespace burin::data {
namespace {

using testing_support::source_folder;
using testing_support::test_data;

std::vector<std::string> split_line(const std::string& line, char separator) {
  std::vector<std::string> fields;
  std::istringstream in(line);
  for (std::string field; std::getline(in, field, separator);) fields.push_back(field);
  return fields;
}

struct Reference {
  std::string file;
  std::string mode;
  std::string size;
  std::string mean;
  std::string rgba_hash;
  bool ok;
};

std::vector<Reference> read_manifest(const std::string& folder) {
  std::ifstream in(folder + "/manifest.tsv");
  std::string line;
  std::getline(in, line);  // the header
  std::vector<Reference> references;
  while (std::getline(in, line)) {
    const std::vector<std::string> f = split_line(line, '\t');
    references.push_back({f[0], f[4], f[5], f[8], f[9], f[10] == "ok"});
  }
  return references;
}

std::string mean_of(const Image& image) {
  std::array<double, 3> sum{};
  for (size_t i = 0; i < image.pixels.size(); ++i) sum[i % 3] += image.pixels[i];
  const auto pixels = static_cast<double>(image.width * image.height);
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%.3f,%.3f,%.3f", sum[0] / pixels, sum[1] / pixels,
                sum[2] / pixels);
  return text.data();
}

/// True if the means agree to half of the last digit written, and one for its rounding.
bool means_agree(const std::string& ours, const std::string& theirs) {
  const std::vector<std::string> a = split_line(ours, ',');
  const std::vector<std::string> b = split_line(theirs, ',');
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (std::abs(std::stod(a[i]) - std::stod(b[i])) > 0.00101) return false;
  }
  return true;
}

/// The hash of the image with an opaque alpha: what the manifest has for images without alpha.
std::string opaque_hash(const Image& image) {
  std::vector<uint8_t> rgba;
  for (size_t i = 0; i < image.pixels.size(); ++i) {
    rgba.push_back(image.pixels[i]);
    if (i % 3 == 2) rgba.push_back(255);
  }
  return testing_support::sha256_16(std::move(rgba));
}

/// "same pixels", or how we differ.
std::string verdict(const std::string& folder, const Reference& reference) {
  try {
    const Image image = load_image(folder + "/" + reference.file);
    const std::string size = str(image.width, "x", image.height);
    const std::string mean = mean_of(image);
    if (!reference.ok) return "only we read it: " + size + ", mean " + mean;
    if (opaque_hash(image) == reference.rgba_hash) return "same pixels";
    if (size == reference.size && means_agree(mean, reference.mean)) return "same mean";
    return "other pixels: mean " + mean + ", Pillow " + reference.mean;
  } catch (const Error& error) {
    const std::string reason = error.what() + folder.size() + reference.file.size() + 3;
    return (reference.ok ? "only Pillow reads it: " : "both refuse: ") + reason;
  }
}

TEST(ImagesNasty, AreWhatDocsImageFormatsSays) {
  const auto folder = test_data("images-nasty");
  if (!folder) GTEST_SKIP() << "no data/images-nasty";
  std::string table;
  std::map<std::string, int> counts;
  for (const Reference& reference : read_manifest(*folder)) {
    const std::string found = verdict(*folder, reference);
    ++counts[found.substr(0, found.find(':'))];
    if (found == "same pixels") continue;
    // Alpha is in Pillow's hash and dropped by us, so the mean has to do; without it, the hash
    // must.
    if (found == "same mean") {
      const bool has_alpha = reference.mode.find('A') != std::string::npos ||
                             reference.mode == "P" || reference.mode == "L" ||
                             reference.mode == "RGB" || reference.mode == "1";
      EXPECT_TRUE(has_alpha) << reference.file << " " << reference.mode;
      continue;
    }
    table += "| " + reference.file + " | " + reference.mode + " | " + found + " |\n";
  }
  std::string summary;
  for (const auto& [what, count] : counts) summary += str("| ", what, " | ", count, " |\n");
  const std::string expected = summary + "\n| file | mode | verdict |\n|---|---|---|\n" + table;

  const std::string path = (source_folder() / "docs/image_formats.md").string();
  std::ostringstream page;
  page << std::ifstream(path).rdbuf();
  EXPECT_NE(page.str().find(expected), std::string::npos)
      << "docs/image_formats.md should hold this table:\n"
      << expected;
}

}  // namespace
}  // namespace burin::data
