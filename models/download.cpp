#include "burin/models/download.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "burin/kernels/base/error.h"

namespace burin::models {
namespace {

constexpr int curl_not_resumable = 33;  // curl(1), EXIT CODES: the server knows no ranges
constexpr std::string_view range_behind_end = "error: 416";  // HTTP 416: the part is too long

/// A file descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { close_now(); }
  int number() const { return number_; }
  void close_now() {
    if (number_ >= 0) close(std::exchange(number_, -1));
  }

 private:
  int number_;
};

/// A program that runs beside us, without a shell; its messages can be read. It ends with the
/// object.
class Program {
 public:
  explicit Program(std::vector<std::string> words) {
    std::array<int, 2> ends{};
    check(pipe2(ends.data(), O_CLOEXEC) == 0, words[0], ": no pipe: ", std::strerror(errno));
    messages_ = ends[0];
    const Descriptor their_end(ends[1]);
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);

    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, their_end.number(), STDERR_FILENO);
    const int error =
        posix_spawnp(&process_, arguments[0], &actions, nullptr, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0) {
      process_ = -1;
      close(messages_);
      fail("the program ", words[0], " can't be started (", std::strerror(error),
           "): install it, for example with apt install ", words[0]);
    }
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  ~Program() {
    if (process_ > 0) {
      kill(process_, SIGTERM);
      wait(0);
    }
    close(messages_);
  }

  /// True while it runs.
  bool is_running() { return process_ > 0 && !wait(WNOHANG); }
  /// After its end: what exit() was given, or -1 if a signal ended it.
  int exit_code() const { return WIFEXITED(status_) ? WEXITSTATUS(status_) : -1; }
  /// After its end: what it wrote to stderr.
  std::string messages() const {
    std::string text;
    std::array<char, 4096> buffer{};
    while (true) {
      const ssize_t count = read(messages_, buffer.data(), buffer.size());
      if (count <= 0) break;
      text.append(buffer.data(), static_cast<size_t>(count));
    }
    while (!text.empty() && text.back() == '\n') text.pop_back();
    return text;
  }

 private:
  /// True once it has ended.
  bool wait(int options) {
    pid_t ended = 0;
    do {
      ended = waitpid(process_, &status_, options);
    } while (ended < 0 && errno == EINTR);
    if (ended == 0) return false;
    process_ = -1;
    return true;
  }

  pid_t process_ = -1;
  int messages_ = -1;
  int status_ = 0;
};

int64_t size_of_file(const std::string& path) {
  std::error_code missing;
  const auto size = std::filesystem::file_size(path, missing);
  return missing ? 0 : static_cast<int64_t>(size);
}

struct Outcome {
  int exit_code;
  std::string messages;
};

Outcome run_curl(const std::string& url, const std::string& part,
                 const DownloadProgress& progress) {
  using namespace std::chrono_literals;
  Program curl({"curl", "--fail", "--location", "--silent", "--show-error", "--connect-timeout",
                "20", "--speed-limit", "1", "--speed-time", "60",  // a server that went silent
                "--continue-at", "-", "--output", part, "--url", url});
  while (curl.is_running()) {
    if (progress) progress(size_of_file(part));
    std::this_thread::sleep_for(50ms);
  }
  return {curl.exit_code(), curl.messages()};
}

}  // namespace

void download(const std::string& url, const std::string& part, const DownloadProgress& progress) {
  const Descriptor lock(open(part.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666));
  check(lock.number() >= 0, part, ": can't be created: ", std::strerror(errno));
  check(flock(lock.number(), LOCK_EX | LOCK_NB) == 0, part, ": is being downloaded already");

  const bool resumed = size_of_file(part) > 0;
  Outcome outcome = run_curl(url, part, progress);
  const bool start_again =
      resumed && (outcome.exit_code == curl_not_resumable ||
                  outcome.messages.find(range_behind_end) != std::string::npos);
  if (start_again) {
    check(ftruncate(lock.number(), 0) == 0, part, ": can't be emptied: ", std::strerror(errno));
    outcome = run_curl(url, part, progress);
  }
  check(outcome.exit_code == 0, outcome.messages.empty()
                                    ? str("curl ended with code ", outcome.exit_code)
                                    : outcome.messages);
}

}  // namespace burin::models
