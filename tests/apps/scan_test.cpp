// burin scan: what it lists, writes and moves.
#include <gtest/gtest.h>

#include "apps/run_burin.h"
#include "burin/apps/exit.h"
#include "burin/apps/image_file.h"

namespace burin {
namespace {

using testing_support::read_whole;

class Scan : public testing::Test {
 protected:
  Scan() {
    std::filesystem::create_directories(folder_.path() / "in" / "a");
    data::Image image(20, 20);
    for (size_t i = 0; i < image.pixels.size(); ++i) image.pixels[i] = static_cast<uint8_t>(i * 7);
    apps::write_image(folder_.file("in/a/good.png"), image);
    testing_support::write_whole(folder_.file("in/a/empty.jpg"), "");
    const std::string whole = read_whole(folder_.file("in/a/good.png"));
    testing_support::write_whole(folder_.file("in/a/cut.png"), whole.substr(0, whole.size() / 2));
  }
  testing_support::TemporaryFolder folder_;
};

TEST_F(Scan, ListsWhatCannotBeUsed) {
  const Ran ran = run_burin("scan " + folder_.file("in") + " --out " + folder_.file("bad.txt") +
                            " --json " + folder_.file("all.json"));
  EXPECT_EQ(ran.code, apps::exit_ok) << ran.err;
  EXPECT_NE(ran.out.find("3 files: 1 empty, 1 truncated, 1 ok\n2 can't be used\n"),
            std::string::npos)
      << ran.out;
  EXPECT_EQ(read_whole(folder_.file("bad.txt")),
            folder_.file("in/a/cut.png") + "\n" + folder_.file("in/a/empty.jpg") + "\n");
  EXPECT_NE(read_whole(folder_.file("all.json")).find("\"verdict\": \"truncated\""),
            std::string::npos);
  EXPECT_EQ(run_burin("scan --fail " + folder_.file("in")).code, apps::exit_bad_input);
  EXPECT_EQ(run_burin("scan /nowhere").code, apps::exit_bad_input);
}

// A name may hold escape codes; what is shown of it may not.
TEST_F(Scan, ShowsOddNamesWithoutObeyingThem) {
  testing_support::write_whole(folder_.file("in/a/\x1b[2J\xff\n.jpg"), "");
  const Ran ran = run_burin("scan " + folder_.file("in") + " --json " + folder_.file("all.json"));
  EXPECT_EQ(ran.out.find('\x1b'), std::string::npos);
  EXPECT_NE(ran.out.find("/a/\\x1b[2J\\xff\\n.jpg "), std::string::npos) << ran.out;
  EXPECT_NE(read_whole(folder_.file("all.json")).find("/a/\\u001b[2J\xEF\xBF\xBD\\n.jpg\""),
            std::string::npos);
  const Ran wrong = run_burin("scan \"$(printf '\\033[31m')\"");
  EXPECT_EQ(wrong.code, apps::exit_bad_input);
  EXPECT_EQ(wrong.err.find('\x1b'), std::string::npos);
  EXPECT_NE(wrong.err.find("burin scan: error: \\x1b[31m"), std::string::npos) << wrong.err;
}

TEST_F(Scan, ListsNoNameThatHasALineEnd) {
  testing_support::write_whole(folder_.file("in/a/x\nkept.jpg"), "");
  const Ran ran = run_burin("scan " + folder_.file("in") + " --out " + folder_.file("bad.txt"));
  EXPECT_EQ(read_whole(folder_.file("bad.txt")),
            folder_.file("in/a/cut.png") + "\n" + folder_.file("in/a/empty.jpg") + "\n");
  EXPECT_NE(ran.out.find("/in/a/x\\nkept.jpg is not in "), std::string::npos) << ran.out;
}

TEST_F(Scan, MovesThemAwayOnce) {
  const std::string command = "scan " + folder_.file("in") + " --move-to " + folder_.file("bad");
  EXPECT_EQ(run_burin(command).code, apps::exit_ok);
  EXPECT_TRUE(std::filesystem::exists(folder_.path() / "bad" / "a" / "cut.png"));
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "in" / "a" / "cut.png"));
  EXPECT_TRUE(std::filesystem::exists(folder_.path() / "in" / "a" / "good.png"));
  const Ran again = run_burin(command);
  EXPECT_NE(again.out.find("0 can't be used\n0 moved"), std::string::npos) << again.out;
}

TEST_F(Scan, MovesToAnotherDiskWholeOrNotAtAll) {
  namespace fs = std::filesystem;
  const fs::path other = fs::path("/dev/shm") / folder_.path().filename();
  std::error_code error;
  fs::create_directories(other, error);
  fs::create_hard_link(folder_.file("in/a/empty.jpg"), other / "link", error);
  if (error != std::errc::cross_device_link) GTEST_SKIP() << "there is no other disk";
  testing_support::write_whole(folder_.file("in/a/noise.jpg"), std::string(3000, '?'));
  const std::string command = "scan " + folder_.file("in") + " --move-to " + other.string();
  const Ran full = run_burin(command, "trap '' XFSZ; ulimit -f 1;");
  EXPECT_EQ(full.code, apps::exit_failed);
  EXPECT_NE(full.err.find("noise.jpg: can't be written: File too large\n"), std::string::npos)
      << full.err;
  EXPECT_FALSE(fs::exists(other / "a/noise.jpg"));
  EXPECT_EQ(run_burin(command).code, apps::exit_ok);
  EXPECT_EQ(read_whole((other / "a/noise.jpg").string()), std::string(3000, '?'));
  EXPECT_FALSE(fs::exists(folder_.file("in/a/noise.jpg")));
  fs::remove_all(other);
}

// A thread's stack is as large as ulimit -s has it.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST_F(Scan, SaysThatNoThreadCanBeStarted) {
  const Ran ran =
      run_burin("scan --workers 4 " + folder_.file("in"), "ulimit -s 8000000; ulimit -v 4000000;");
  EXPECT_EQ(ran.code, apps::exit_failed);
  EXPECT_NE(
      ran.err.find("a thread can't be started: Resource temporarily unavailable\n  hint: fewer"),
      std::string::npos)
      << ran.err;
}
#endif

}  // namespace
}  // namespace burin
