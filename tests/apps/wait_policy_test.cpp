#include "burin/apps/wait_policy.h"

#include <gtest/gtest.h>
#include <omp.h>

#include <filesystem>
#include <thread>

namespace burin::apps {
namespace {

int64_t threads_of_this_process() {
  const std::filesystem::directory_iterator tasks("/proc/self/task");
  return std::distance(begin(tasks), end(tasks));
}

TEST(WaitPolicy, ReleasesTheComputeThreadsOfTheCallerAlone) {
  std::jthread caller([] {
    const auto loop = [] {
      int started = 0;
#pragma omp parallel num_threads(3) reduction(+ : started)
      ++started;
      return started;
    };
    const int64_t before = threads_of_this_process();
    EXPECT_EQ(loop(), 3);
    EXPECT_EQ(threads_of_this_process(), before + 2);
    release_compute_threads();
    for (int i = 0; i < 100 && threads_of_this_process() > before; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    EXPECT_EQ(threads_of_this_process(), before);
    EXPECT_EQ(loop(), 3) << "they come back when they are needed";
  });
}

}  // namespace
}  // namespace burin::apps
