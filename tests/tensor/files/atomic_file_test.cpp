#include "burin/tensor/files/atomic_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "support/expect_error.h"
#include "support/temporary_folder.h"

namespace burin {
namespace {

using testing_support::read_whole;
using testing_support::TemporaryFolder;
using testing_support::write_whole;

size_t files_in(const TemporaryFolder& folder) {
  const auto begin = std::filesystem::directory_iterator(folder.path());
  return static_cast<size_t>(std::distance(begin, std::filesystem::directory_iterator()));
}

TEST(AtomicFile, ReplacesAFileOnlyOnCommit) {
  const TemporaryFolder folder;
  write_whole(folder.file("a"), "old");
  AtomicFile file(folder.file("a"));
  file.write("new ");
  file.write("content");
  EXPECT_EQ(file.position(), 11u);
  EXPECT_EQ(read_whole(folder.file("a")), "old");
  file.commit();
  EXPECT_EQ(read_whole(folder.file("a")), "new content");
  EXPECT_EQ(files_in(folder), 1u);
  expect_error([&] { file.write("more"); }, "written to after commit");
}

TEST(AtomicFile, AppearsAsWellWithoutAFlush) {
  const TemporaryFolder folder;
  AtomicFile file(folder.file("a"));
  file.write("content");
  file.commit_without_flush();
  EXPECT_EQ(read_whole(folder.file("a")), "content");
  EXPECT_EQ(files_in(folder), 1u);
}

TEST(AtomicFile, LeavesNothingBehindWithoutCommit) {
  const TemporaryFolder folder;
  write_whole(folder.file("a"), "old");
  { AtomicFile(folder.file("a")).write("half of the new"); }
  EXPECT_EQ(read_whole(folder.file("a")), "old");
  EXPECT_EQ(files_in(folder), 1u);
}

TEST(AtomicFile, TwoWritersOfOnePathDoNotMix) {
  const TemporaryFolder folder;
  AtomicFile first(folder.file("a"));
  AtomicFile second(folder.file("a"));
  first.write("first");
  second.write("second");
  second.commit();
  first.commit();
  EXPECT_EQ(read_whole(folder.file("a")), "first");
  EXPECT_EQ(files_in(folder), 1u);
}

TEST(AtomicFile, AFullDiskLeavesTheOldFile) {
  const TemporaryFolder folder;
  write_whole(folder.file("a"), "old");
  const rlimit small = {1000, RLIM_INFINITY};
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  expect_error([&] { write_file(folder.file("a"), std::string(2000, 'x')); }, "can't be written");
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(read_whole(folder.file("a")), "old");
  EXPECT_EQ(files_in(folder), 1u);
}

TEST(AtomicFile, SaysWhyItCantBeCreated) {
  const TemporaryFolder folder;
  expect_error([&] { AtomicFile(folder.file("missing/a")); },
               "missing/a: can't be created: No such");
  std::filesystem::create_directory(folder.file("taken"));
  expect_error([&] { AtomicFile(folder.file("taken")); }, "taken: is a folder, not a file");
  expect_error([&] { AtomicFile("/dev/null"); }, "/dev/null: is no ordinary file");
  EXPECT_EQ(files_in(folder), 1u);
}

TEST(AtomicFile, WritesWhatALinkLeadsTo) {
  namespace fs = std::filesystem;
  const TemporaryFolder folder;
  fs::create_directory(folder.file("disk"));
  write_whole(folder.file("disk/old"), "old");
  fs::create_symlink("disk/old", folder.file("relative"));
  fs::create_symlink(folder.file("disk/new"), folder.file("dangling"));
  fs::create_symlink("dangling", folder.file("of_a_link"));
  for (const char* const link : {"relative", "dangling", "of_a_link"}) {
    write_file(folder.file(link), link);
    EXPECT_TRUE(fs::is_symlink(folder.file(link)));
  }
  EXPECT_EQ(read_whole(folder.file("disk/old")), "relative");
  EXPECT_EQ(read_whole(folder.file("disk/new")), "of_a_link");

  fs::create_symlink("circle", folder.file("circle"));
  expect_error([&] { AtomicFile(folder.file("circle")); }, "circle: symbolic links lead round");
  // As /dev/stdout of `>old`: the shell's file would be another than the one that is written.
  const int open_file = open(folder.file("disk/old").c_str(), O_RDONLY | O_CLOEXEC);
  fs::create_symlink(str("/proc/self/fd/", open_file), folder.file("stdout"));
  expect_error([&] { AtomicFile(folder.file("stdout")); }, "stdout: is no ordinary file");
  close(open_file);
}

TEST(AtomicFile, TakesTheLongestName) {
  const TemporaryFolder folder;
  const std::string longest(255, 'n');
  write_file(folder.file(longest), "x");
  EXPECT_EQ(read_whole(folder.file(longest)), "x");
}

TEST(RemoveLeftovers, TakesWhatNobodyWritesAnyMore) {
  const TemporaryFolder folder;
  const pid_t child = fork();
  if (child == 0) {
    AtomicFile half(folder.file("last.ckpt"));
    half.write("half");
    _exit(0);  // as a kill would: nothing is tidied up
  }
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
  AtomicFile ours(folder.file("last.ckpt"));
  for (const char* const name : {".hidden", ".a.12", ".a.0-1", ".a.1-x", "a.999999999-1", "b"}) {
    write_whole(folder.file(name), "");
  }
  EXPECT_EQ(files_in(folder), 8u);
  remove_leftovers(folder.path().string());
  EXPECT_EQ(files_in(folder), 7u);
  ours.write("whole");
  ours.commit();
  EXPECT_EQ(read_whole(folder.file("last.ckpt")), "whole");
  remove_leftovers(folder.file("not there"));
}

}  // namespace
}  // namespace burin
