#include "burin/data/image_folder.h"

#include <gtest/gtest.h>

#include "support/expect_error.h"
#include "support/temporary_folder.h"
#include "support/test_data.h"

namespace burin::data {
namespace {

using testing_support::TemporaryFolder;
using testing_support::test_data;
using testing_support::write_whole;

void touch(const TemporaryFolder& folder, const std::string& name) {
  std::filesystem::create_directories(std::filesystem::path(folder.file(name)).parent_path());
  write_whole(folder.file(name), "");
}

std::vector<std::string> names_of(const ImageFolder& images, const TemporaryFolder& folder) {
  std::vector<std::string> names;
  for (int64_t i = 0; i < images.size(); ++i) {
    names.push_back(images.path(i).lexically_relative(folder.path()).string());
  }
  return names;
}

TEST(ImageFolder, SortsClassesAndFilesAndSkipsWhatIsNoImage) {
  const TemporaryFolder folder;
  for (const char* name : {"b/2.JPG", "b/10.png", "b/.hidden.jpg", "b/notes.txt", "a/z.WebP",
                           "a/a/x.jpeg", ".git/x.jpg", "readme.md"}) {
    touch(folder, name);
  }
  const ImageFolder images(folder.path());
  EXPECT_EQ(images.classes(), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(names_of(images, folder),
            (std::vector<std::string>{"a/z.WebP", "a/a/x.jpeg", "b/10.png", "b/2.JPG"}));
  EXPECT_EQ(class_counts(images), (std::vector<int64_t>{2, 2}));
  ASSERT_EQ(images.skipped().size(), 1u);
  EXPECT_EQ(images.skipped()[0].filename(), "notes.txt");
  expect_error([&] { images.load(0); }, "a/z.WebP: the file is empty");
}

TEST(ImageFolder, SplitsComeFromTheirFolders) {
  const TemporaryFolder folder;
  for (const char* name : {"train/cat/1.jpg", "train/dog/1.jpg", "val/dog/1.jpg"})
    touch(folder, name);
  const FolderSplits splits = open_image_folders(folder.path());
  EXPECT_EQ(splits.train->size(), 2);
  ASSERT_TRUE(splits.val);
  EXPECT_EQ(splits.val->classes(), (std::vector<std::string>{"cat", "dog"}));
  EXPECT_EQ(splits.val->label(0), 1);
  EXPECT_FALSE(splits.test);
  touch(folder, "test/bird/1.jpg");
  expect_error([&] { open_image_folders(folder.path()); },
               "test/bird: there is no class 'bird'; there are: cat, dog\n  hint: ");
}

TEST(ImageFolder, AClassMayBeCalledTrain) {
  const TemporaryFolder folder;
  for (const char* name : {"train/1.jpg", "bus/1.jpg"}) touch(folder, name);
  const FolderSplits splits = open_image_folders(folder.path());
  EXPECT_EQ(splits.train->classes(), (std::vector<std::string>{"bus", "train"}));
}

TEST(ImageFolder, SaysWhatItExpected) {
  const TemporaryFolder folder;
  expect_error([&] { open_image_folders(folder.path()); },
               folder.path().string() + ": no class folders found\n  hint: expected " +
                   folder.path().string() + "/<class>/*.jpg or ");
  expect_error([&] { open_image_folders(folder.file("absent")); },
               "absent: no such folder\n  hint: ");
  touch(folder, "file.jpg");
  expect_error([&] { open_image_folders(folder.file("file.jpg")); },
               "file.jpg: is a file, not a folder");
  touch(folder, "cat/notes.txt");
  expect_error([&] { open_image_folders(folder.path()); },
               "cat: no images in this class folder\n  hint: remove the folder");
}

TEST(ImageFolder, ReadsHymenoptera) {
  const auto folder = test_data("hymenoptera");
  if (!folder) GTEST_SKIP() << "no data/hymenoptera";
  const FolderSplits splits = open_image_folders(*folder);
  EXPECT_EQ(splits.train->classes(), (std::vector<std::string>{"ants", "bees"}));
  EXPECT_EQ(class_counts(*splits.train), (std::vector<int64_t>{123, 121}));
  EXPECT_EQ(class_counts(*splits.val), (std::vector<int64_t>{70, 83}));
  EXPECT_EQ(std::min(splits.val->load(0)->width, splits.val->load(0)->height), 256);
}

}  // namespace
}  // namespace burin::data
