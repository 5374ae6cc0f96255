// How images are divided, and folders prepared from end to end.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "apps/run_burin.h"
#include "burin/apps/exit.h"
#include "burin/apps/image_file.h"
#include "burin/apps/preparation/manifest.h"
#include "burin/apps/preparation/plan.h"
#include "burin/data/decode.h"
#include "burin/data/split.h"
#include "support/expect_error.h"

namespace burin::apps {
namespace {

using testing_support::read_whole;
using testing_support::TemporaryFolder;
using testing_support::write_whole;

/// `count` images of each class, all different.
std::vector<SourceImage> images_of(const std::map<std::string, int>& classes) {
  std::vector<SourceImage> images;
  std::mt19937_64 random(1);
  for (const auto& [name, count] : classes) {
    for (int i = 0; i < count; ++i) {
      images.push_back({.path = str(name, '/', i, ".jpg"),
                        .class_name = name,
                        .part = {},
                        .content = random(),
                        .look = {.hash = random()}});
    }
  }
  return images;
}

std::map<std::string, int> parts_of(const std::vector<SourceImage>& images) {
  std::map<std::string, int> counts;
  for (const SourceImage& image : images) ++counts[image.part + ' ' + image.class_name];
  return counts;
}

TEST(Plan, ReadsShares) {
  EXPECT_EQ(parse_shares("70/15/15"), (std::vector<double>{0.7, 0.15, 0.15}));
  EXPECT_EQ(parse_shares("0.8/0.2"), (std::vector<double>{0.8, 0.2}));
  expect_error([] { parse_shares("70/20"); }, "sum to 90, not to 100");
  expect_error([] { parse_shares("100"); }, "such as 70/15/15");
  expect_error([] { parse_shares("70/x/30"); }, "'x'");
}

// Workflow W5's 70/15/15, of each class.
TEST(Plan, DividesEachClassByItsShares) {
  std::vector<SourceImage> images = images_of({{"ai", 100}, {"real", 40}});
  divide(images, {.shares = parse_shares("70/15/15")});
  EXPECT_EQ(parts_of(images), (std::map<std::string, int>{{"train ai", 70},
                                                          {"val ai", 15},
                                                          {"test ai", 15},
                                                          {"train real", 28},
                                                          {"val real", 6},
                                                          {"test real", 6}}));
  std::vector<SourceImage> again = images_of({{"ai", 100}, {"real", 40}});
  divide(again, {.shares = parse_shares("70/15/15")});
  for (size_t i = 0; i < images.size(); ++i) EXPECT_EQ(images[i].part, again[i].part);
  std::vector<SourceImage> few = images_of({{"ai", 2}});
  expect_error([&] { divide(few, {.shares = parse_shares("70/15/15")}); },
               "class 'ai' has 2 images");
}

TEST(Plan, TakesASubsetAndBalances) {
  std::vector<SourceImage> images = images_of({{"ai", 100}, {"real", 40}});
  divide(images, {.shares = {}, .subset = 0.4});
  EXPECT_EQ(parts_of(images), (std::map<std::string, int>{{" ai", 40}, {" real", 16}}));
  divide(images, {.shares = {}, .balance = true});
  EXPECT_EQ(parts_of(images), (std::map<std::string, int>{{" ai", 16}, {" real", 16}}));
}

// fastai's RandomSplitter(valid_pct=0.2, seed=42) over the list as it stands.
TEST(Plan, DividesAsFastai) {
  std::vector<SourceImage> images = images_of({{"ai", 5}, {"real", 5}});
  divide(images, {.shares = {0.8, 0.2}, .fastai = true});
  for (size_t i = 0; i < images.size(); ++i) {
    EXPECT_EQ(images[i].part, i == 2 || i == 6 ? "val" : "train") << i;  // randperm: 2 6 1 8 …
  }
}

TEST(Plan, KeepsTwinsTogether) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    std::vector<SourceImage> images = images_of({{"ai", 50}, {"real", 50}});
    images[60].content = images[3].content;              // equal, another class
    images[20].look.hash = images[7].look.hash ^ 0b101;  // nearly
    EXPECT_EQ(group_duplicates(images, 3), 2);
    EXPECT_EQ(images[60].group, images[3].group);
    divide(images, {.shares = parse_shares("70/15/15"), .seed = seed});
    EXPECT_EQ(images[60].part, images[3].part);
    EXPECT_EQ(images[20].part, images[7].part);
    drop_duplicates(images);
    EXPECT_EQ(images.size(), 98u);
  }
}

/// Noise of a seed, so that no two are alike.
data::Image noise(uint32_t seed, int64_t width, int64_t height) {
  std::mt19937 random(seed);
  data::Image image(width, height);
  for (uint8_t& p : image.pixels) p = static_cast<uint8_t>(random());
  return image;
}

class PreparedFolder : public testing::Test {
 protected:
  PreparedFolder() {
    for (const char* const name : {"ai", "real"}) {
      std::filesystem::create_directories(folder.path() / "photos" / name);
      for (uint32_t i = 0; i < 10; ++i) {
        write_image(folder.file(str("photos/", name, "/p", i, i % 2 ? ".png" : ".jpg")),
                    noise(i + (name[0] == 'a' ? 100 : 200), 60, 40));
      }
    }
  }
  std::vector<std::string> files(const std::string& name) const {
    std::vector<std::string> all;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder.path() / name)) {
      if (entry.is_regular_file())
        all.push_back(std::filesystem::relative(entry.path(), folder.path() / name).string());
    }
    std::sort(all.begin(), all.end());
    return all;
  }
  TemporaryFolder folder;
};

TEST_F(PreparedFolder, IsSplitConvertedAndRepeatable) {
  const std::string prepare = "prepare " + folder.file("photos") + ' ';
  const Ran ran =
      run_burin(prepare + folder.file("a") + " --split 60/20/20 --size 20 --format jpg");
  ASSERT_EQ(ran.code, exit_ok) << ran.err;
  EXPECT_NE(ran.out.find("train   6     6"), std::string::npos) << ran.out;
  EXPECT_NE(ran.out.find("20 of 20 images; 0 duplicates"), std::string::npos) << ran.out;
  EXPECT_EQ(files("a").size(), 21u);
  for (const std::string& file : files("a")) {
    if (file == "manifest.tsv") continue;
    const data::Image image = data::load_image(folder.path() / "a" / file);
    EXPECT_EQ(image.width, 30) << file;
    EXPECT_EQ(image.height, 20);
    EXPECT_TRUE(file.ends_with(".jpg"));
  }
  const Ran again = run_burin(prepare + folder.file("b") + " --size 20 --format jpg --order " +
                              folder.file("a/manifest.tsv"));
  ASSERT_EQ(again.code, exit_ok) << again.err;
  EXPECT_EQ(files("a"), files("b"));
  for (const std::string& file : files("a")) {
    if (file == "manifest.tsv") continue;
    EXPECT_EQ(read_whole(folder.file("a/" + file)), read_whole(folder.file("b/" + file))) << file;
  }
  EXPECT_EQ(run_burin(prepare + folder.file("a")).code, exit_bad_input) << "not over what is there";
  const Ran file = run_burin(prepare + folder.file("a/manifest.tsv"));
  EXPECT_EQ(file.code, exit_bad_input);
  EXPECT_NE(file.err.find("manifest.tsv: is a file, not a folder"), std::string::npos) << file.err;
  const Ran within = run_burin(prepare + folder.file("photos/prepared"));
  EXPECT_EQ(within.code, exit_usage);
  EXPECT_NE(within.err.find("photos/prepared: lies within "), std::string::npos) << within.err;
  EXPECT_EQ(run_burin(prepare + folder.file("photos-2") + " --background puce").code, exit_usage);
}

// The same seed divides differently where the disk lists files in another order; a list mends that.
TEST_F(PreparedFolder, ReproducesAForeignOrder) {
  std::vector<std::string> order;
  for (const char* const name : {"real", "ai"}) {
    for (int i = 9; i >= 0; --i) order.push_back(str(name, "/p", i, i % 2 ? ".png" : ".jpg"));
  }
  std::string list;
  for (const std::string& file : order) list += "/another/disk/photos/" + file + '\n';
  write_whole(folder.file("list.txt"), list);
  const Ran ran = run_burin("prepare " + folder.file("photos") + ' ' + folder.file("a") +
                            " --split 80/20 --splitter fastai --order " + folder.file("list.txt"));
  ASSERT_EQ(ran.code, exit_ok) << ran.err;
  const std::vector<int64_t> valid = data::random_split(20, 0.2, 42).valid;
  EXPECT_EQ(valid.size(), 4u);
  for (const int64_t i : valid) {
    EXPECT_TRUE(std::filesystem::exists(folder.path() / "a/val" / order[static_cast<size_t>(i)]));
  }
}

TEST_F(PreparedFolder, ReproducesNamesThatWouldBreakATable) {
  const std::vector<std::string> names = {"tab\tname.png", "two\nlines.png", "back\\nslash.png",
                                          "return\r.png"};
  for (size_t i = 0; i < names.size(); ++i) {
    write_image(folder.file("photos/ai/" + names[i]),
                noise(static_cast<uint32_t>(300 + i), 60, 40));
  }
  const std::string prepare = "prepare " + folder.file("photos") + ' ';
  ASSERT_EQ(run_burin(prepare + folder.file("a") + " --split 60/40").code, exit_ok);
  const std::string manifest = read_whole(folder.file("a/manifest.tsv"));
  EXPECT_EQ(std::count(manifest.begin(), manifest.end(), '\n'), 2 + 24) << manifest;
  EXPECT_NE(manifest.find("\tai/two\\nlines.png\n"), std::string::npos) << manifest;
  EXPECT_NE(manifest.find("\tai/back\\\\nslash.png\n"), std::string::npos) << manifest;
  const Ran again =
      run_burin(prepare + folder.file("b") + " --order " + folder.file("a/manifest.tsv"));
  ASSERT_EQ(again.code, exit_ok) << again.err;
  EXPECT_EQ(files("a"), files("b"));
}

TEST_F(PreparedFolder, LeavesOutWhatIsBrokenAndTwice) {
  write_whole(folder.file("photos/ai/broken.jpg"), "no image");
  std::filesystem::copy_file(folder.file("photos/ai/p1.png"), folder.file("photos/ai/q.png"));
  const Ran ran =
      run_burin("prepare " + folder.file("photos") + ' ' + folder.file("a") + " --dedupe --link");
  ASSERT_EQ(ran.code, exit_ok) << ran.err;
  EXPECT_NE(ran.err.find("left out: " + folder.file("photos/ai/broken.jpg")), std::string::npos);
  EXPECT_NE(ran.out.find("20 of 22 images; 1 duplicate dropped"), std::string::npos) << ran.out;
  EXPECT_TRUE(std::filesystem::is_symlink(folder.file("a/ai/p1.png")));
  const std::string prepare = "prepare " + folder.file("photos") + ' ';
  const Ran both = run_burin(prepare + folder.file("b") + " --copy --link");
  EXPECT_EQ(both.code, exit_usage);
  EXPECT_NE(both.err.find("--copy and --link exclude each other"), std::string::npos);
  EXPECT_EQ(run_burin(prepare + folder.file("b") + " --copy").code, exit_ok);
  EXPECT_FALSE(std::filesystem::is_symlink(folder.file("b/ai/p1.png")));
}

// Which an image that can't be read does not do.
TEST_F(PreparedFolder, EndsWhereNothingCanBeWritten) {
  const Ran ran = run_burin("prepare " + folder.file("photos") + ' ' + folder.file("a"),
                            "trap '' XFSZ; ulimit -f 1;");
  EXPECT_EQ(ran.code, exit_failed) << ran.err;
  EXPECT_NE(ran.err.find(": can't be written: File too large\n"), std::string::npos) << ran.err;
  EXPECT_EQ(ran.err.find("left out"), std::string::npos) << ran.err;
  EXPECT_EQ(files("a"), std::vector<std::string>{}) << "half a picture";
}

TEST_F(PreparedFolder, IsShownAsASheet) {
  const Ran ran = run_burin("show " + folder.file("photos") + " -n 4 --side 64 --out " +
                            folder.file("sheet.png"));
  ASSERT_EQ(ran.code, exit_ok) << ran.err;
  EXPECT_EQ(data::load_image(folder.file("sheet.png")).width, 14 + 2 * (64 + 14));
  write_whole(folder.file("photos/ai/broken.png"), "nothing of an image");
  const Ran broken =
      run_burin("show " + folder.file("photos") + " -n 400 --out " + folder.file("other.png"));
  EXPECT_EQ(broken.code, exit_bad_input);
  EXPECT_NE(broken.err.find("broken.png"), std::string::npos) << broken.err;
  EXPECT_NE(broken.err.find("\n  hint: burin scan"), std::string::npos) << broken.err;
}

}  // namespace
}  // namespace burin::apps
