#include "burin/models/pretrained.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "burin/models/catalog.h"
#include "burin/tensor/files/sha256.h"
#include "support/expect_error.h"
#include "support/temporary_folder.h"
#include "support/test_data.h"

namespace burin::models {
namespace {

using testing_support::read_whole;
using testing_support::TemporaryFolder;
using testing_support::write_whole;

/// support/file_server.py, running until the object dies.
class FileServer {
 public:
  explicit FileServer(const std::string& folder, const std::string& option = "cut=0") {
    const std::string script =
        (testing_support::source_folder() / "tests/support/file_server.py").string();
    int ends[2];
    check(pipe(ends) == 0, "no pipe");
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    const char* const words[] = {"python3", script.c_str(), folder.c_str(), option.c_str(),
                                 nullptr};
    const int error = posix_spawn(&process_, "/usr/bin/python3", &actions, nullptr,
                                  const_cast<char**>(words), environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    output_ = fdopen(ends[0], "r");
    if (error == 0) port_ = line();
  }
  FileServer(const FileServer&) = delete;
  FileServer& operator=(const FileServer&) = delete;
  ~FileServer() {
    stop();
    fclose(output_);
  }

  bool is_running() const { return !port_.empty(); }
  std::string address() const { return "http://127.0.0.1:" + port_; }
  /// The range of the next request, "all" without one; waits for it.
  std::string next_range() { return line(); }
  void stop() {
    if (process_ <= 0) return;
    kill(process_, SIGTERM);
    waitpid(process_, nullptr, 0);
    process_ = -1;
  }

 private:
  std::string line() {
    std::string text;
    for (int c = fgetc(output_); c != EOF && c != '\n'; c = fgetc(output_)) {
      text += static_cast<char>(c);
    }
    return text;
  }

  pid_t process_ = -1;
  FILE* output_ = nullptr;
  std::string port_;
};

/// A published file of 300,000 bytes, a cache that is empty, and the environment that says so.
class Pretrained : public testing::Test {
 protected:
  void SetUp() override {
    if (std::system("curl --version > /dev/null 2>&1") != 0) GTEST_SKIP() << "there is no curl";
    for (int i = 0; i < 300'000; ++i) content_ += static_cast<char>(i * 31 + i / 256);
    name_ = "toy-" + sha256(as_bytes(content_)).substr(0, 8) + ".pth";
    write_whole(published_.file(name_), content_);
    setenv("BURIN_CACHE", cache_.file("burin").c_str(), 1);
    setenv("TORCH_HOME", cache_.file("torch").c_str(), 1);
    setenv("no_proxy", "127.0.0.1", 1);
  }
  void TearDown() override {
    for (const char* name : {"BURIN_CACHE", "TORCH_HOME", "BURIN_WEIGHTS_URL", "no_proxy"})
      unsetenv(name);
  }
  PretrainedWeights weights() const { return {"toy", name_, 256, 0}; }
  std::string cached(const std::string& suffix = "") const {
    return cache_.file("burin/" + name_ + suffix);
  }
  static void use(const FileServer& server) {
    setenv("BURIN_WEIGHTS_URL", server.address().c_str(), 1);
  }

  TemporaryFolder published_;
  TemporaryFolder cache_;
  std::string content_;
  std::string name_;
};

TEST_F(Pretrained, EveryModelOfTheTableIsInTheCatalog) {
  for (const PretrainedWeights& weights : pretrained_weights()) {
    EXPECT_NE(find_model(weights.model), nullptr) << weights.model;
  }
  EXPECT_EQ(find_pretrained("resnet50")->file, "resnet50-11ad3fa6.pth");
  EXPECT_EQ(find_pretrained("resnet20"), nullptr);
  EXPECT_EQ(address_of(*find_pretrained("resnet18")),
            "https://download.pytorch.org/models/resnet18-f37072fd.pth");
}

TEST_F(Pretrained, FindsFilesOfBothCaches) {
  EXPECT_EQ(cached_file(weights()), std::nullopt);
  std::filesystem::create_directories(cache_.file("torch/hub/checkpoints"));
  const std::string torchs = cache_.file("torch/hub/checkpoints/" + name_);
  write_whole(torchs, content_);
  EXPECT_EQ(cached_file(weights()), torchs);
  std::filesystem::create_directories(cache_.file("burin"));
  write_whole(cached(), content_);
  EXPECT_EQ(cached_file(weights()), cached());
}

TEST_F(Pretrained, DownloadsChecksAndRenames) {
  FileServer server(published_.path().string());
  if (!server.is_running()) GTEST_SKIP() << "there is no /usr/bin/python3";
  use(server);
  EXPECT_EQ(download_pretrained(weights()), cached());
  EXPECT_EQ(read_whole(cached()), content_);
  EXPECT_FALSE(std::filesystem::exists(cached(".part")));
  EXPECT_EQ(server.next_range(), "all");
}

TEST_F(Pretrained, ResumesWhatBrokeOff) {
  FileServer server(published_.path().string(), "cut=100000");
  if (!server.is_running()) GTEST_SKIP() << "there is no /usr/bin/python3";
  use(server);
  expect_error([&] { download_pretrained(weights()); }, "could not be downloaded: curl: (18)");
  EXPECT_EQ(std::filesystem::file_size(cached(".part")), 100'000u);
  EXPECT_FALSE(std::filesystem::exists(cached()));
  int64_t seen = 0;
  download_pretrained(weights(), [&](int64_t bytes) { seen = std::max(seen, bytes); });
  EXPECT_GE(seen, 100'000);
  EXPECT_EQ(read_whole(cached()), content_);
  EXPECT_EQ(server.next_range(), "all");
  EXPECT_EQ(server.next_range(), "bytes=100000-");
}

TEST_F(Pretrained, StartsAgainWhereTheServerCantResume) {
  FileServer server(published_.path().string(), "ranges=no");
  if (!server.is_running()) GTEST_SKIP() << "there is no /usr/bin/python3";
  use(server);
  std::filesystem::create_directories(cache_.file("burin"));
  write_whole(cached(".part"), content_.substr(0, 1000));
  download_pretrained(weights());
  EXPECT_EQ(read_whole(cached()), content_);
}

TEST_F(Pretrained, ReplacesAPartOfSomethingElse) {
  FileServer server(published_.path().string());
  if (!server.is_running()) GTEST_SKIP() << "there is no /usr/bin/python3";
  use(server);
  std::filesystem::create_directories(cache_.file("burin"));
  for (const size_t size : {size_t{1000}, content_.size(), content_.size() + 5}) {
    write_whole(cached(".part"), std::string(size, 'x'));
    std::filesystem::remove(cached());
    download_pretrained(weights());
    EXPECT_EQ(read_whole(cached()), content_);
  }
}

TEST_F(Pretrained, RefusesAnotherContent) {
  FileServer server(published_.path().string());
  if (!server.is_running()) GTEST_SKIP() << "there is no /usr/bin/python3";
  use(server);
  content_[7] = 'x';
  write_whole(published_.file(name_), content_);
  expect_error([&] { download_pretrained(weights()); }, "it is not what was published");
  EXPECT_FALSE(std::filesystem::exists(cached()));
  EXPECT_FALSE(std::filesystem::exists(cached(".part")));
}

TEST_F(Pretrained, SaysWhereToPutTheFileWithoutANetwork) {
  FileServer server(published_.path().string());
  if (!server.is_running()) GTEST_SKIP() << "there is no /usr/bin/python3";
  use(server);
  server.stop();
  expect_error([&] { download_pretrained(weights()); }, "could not be downloaded: curl: (7)");
  expect_error([&] { download_pretrained(weights()); },
               "\n  hint: fetch it elsewhere and put it at " + cached());
}

TEST_F(Pretrained, SaysThatTheFileIsGone) {
  FileServer server(cache_.path().string());
  if (!server.is_running()) GTEST_SKIP() << "there is no /usr/bin/python3";
  use(server);
  expect_error([&] { download_pretrained(weights()); }, "404");
}

TEST_F(Pretrained, SaysThatCurlIsMissing) {
  const std::string path = std::getenv("PATH");
  setenv("PATH", cache_.path().c_str(), 1);
  expect_error([&] { download_pretrained(weights()); }, "the program curl can't be started");
  setenv("PATH", path.c_str(), 1);
}

}  // namespace
}  // namespace burin::models
