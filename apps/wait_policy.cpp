#include "burin/apps/wait_policy.h"

#include <omp.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

namespace burin::apps {
namespace {

// Long enough for the gap between two kernels, short enough to lose little of a scheduler's tick
// when another process holds the core that a waiting thread waits for.
constexpr const char* spin_count = "1000";

}  // namespace

void set_wait_policy(char** argv) {
  if (std::getenv("OMP_WAIT_POLICY") != nullptr || std::getenv("GOMP_SPINCOUNT") != nullptr) return;
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error || setenv("GOMP_SPINCOUNT", spin_count, 1) != 0) return;
  execv(self.c_str(), argv);  // returns only where it fails; then libgomp's own default holds
}

void release_compute_threads() {
  omp_pause_resource_all(omp_pause_soft);
}

}  // namespace burin::apps
