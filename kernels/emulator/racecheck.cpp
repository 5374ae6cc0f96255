// The race check. Kernel files are compiled with -fsanitize=thread, but the program is linked
// against this file instead of the sanitizer's library: the compiler puts a call before each load
// and store, and the runner knows which CUDA thread makes it. Only for programs that link the
// kernels statically: shared variables are told from others by lying in the program's own data.
//
// Two accesses to a byte race when at least one writes, they are not both atomic, and they come
// from different threads of a block with no barrier between them (nor an exchange of their warp, if
// they are of one), or from different blocks of a launch (of a cluster: with no barrier of it
// between). Reading shared memory that the block has not written is reported too, and so is
// touching what the launch before wrote, or writing what it read, by a thread that may overlap it
// and has not waited.
#include <dlfcn.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>

#include "burin/kernels/emulator/dialect/threads.h"
#include "burin/kernels/emulator/observer.h"
#include "burin/kernels/emulator/place.h"

extern "C" char __data_start, _end;  // of the program's own data, from the linker

namespace burin::emulator {
namespace {

constexpr unsigned short several_warps = 0xffff;
constexpr unsigned short several_lanes = 1024;  // plus the warp's number

/// The last access of its kind to a byte.
struct Access {
  unsigned interval = 0;   // between which barriers; 0: never
  unsigned short who = 0;  // a thread, several_lanes + warp, or several_warps
  unsigned short warp_interval = 0;
  bool atomic = false;
  const void* code = nullptr;
};
struct Byte {
  Access write, read;
};
using Page = std::array<Byte, 4096>;

struct Check {
  std::unordered_map<uintptr_t, std::unique_ptr<Page>> pages;
  std::array<std::pair<uintptr_t, Page*>, 64> recent_pages{};  // most accesses find theirs here
  unsigned launch_interval = 0, launch_before_interval = 0;    // the first of each
  std::set<std::pair<const void*, const void*>> seen;
  std::string report;
  bool busy = false;  // the linker may give us inline functions that were compiled for kernels
};

Check& race_check() {
  static Check instance;
  return instance;
}

/// Whether the address is a thread's own index, which kernels read as a variable of the program.
bool is_index(const void* address) {
  for (const uint3* const index : {&threadIdx, &blockIdx, &blockDim, &gridDim}) {
    if (address >= index && address < index + 1) return true;
  }
  return false;
}

Byte& byte_at(Check& check, uintptr_t address) {
  const uintptr_t number = address >> 12;
  auto& [recent, page] = check.recent_pages[number % check.recent_pages.size()];
  if (page == nullptr || recent != number) {
    std::unique_ptr<Page>& kept = check.pages[number];
    if (kept == nullptr) kept = std::make_unique<Page>();
    recent = number;
    page = kept.get();
  }
  return (*page)[address & 4095];
}

/// "conv2d.cu:120" by way of addr2line.
std::string line_of(const void* code) {
  Dl_info info{};
  if (code == nullptr || dladdr(code, &info) == 0) return "?";
  const auto offset =
      reinterpret_cast<uintptr_t>(code) - reinterpret_cast<uintptr_t>(info.dli_fbase) - 1;
  const std::string command = str("addr2line -s -e '", info.dli_fname, "' 0x", std::hex, offset);
  char line[256] = "?";
  if (FILE* const pipe = popen(command.c_str(), "r")) {
    if (std::fgets(line, sizeof line, pipe) == nullptr) line[0] = '?';
    line[std::strcspn(line, " \n")] = 0;
    pclose(pipe);
  }
  return line;
}

uint3 index_of(int thread) {
  const auto number = static_cast<unsigned>(thread);
  return {number % blockDim.x, number / blockDim.x % blockDim.y, number / blockDim.x / blockDim.y};
}

std::string who(const Access& access, const Observation& now) {
  if (access.interval < now.block_interval) return "another block";
  if (access.who == several_warps) return "threads of several warps";
  if (access.who >= several_lanes) return str("lanes of warp ", access.who - several_lanes);
  return str("thread ", place(index_of(access.who)));
}

void found(const char* what, bool shared, const Observation& now, const Access& before,
           const void* code) {
  Check& check = race_check();
  constexpr size_t longest_report = 4000;
  if (!check.seen.insert({before.code, code}).second || check.report.size() > longest_report) {
    return;
  }
  check.report +=
      str(what, " in ", shared ? "shared" : "global", " memory\n  block ", place(blockIdx),
          " thread ", place(index_of(now.thread)), " at ", line_of(code), '\n');
  if (before.code == nullptr) return;
  if (before.interval < check.launch_interval) {
    check.report += str("  the launch before at ", line_of(before.code), ", no wait for it\n");
    return;
  }
  check.report +=
      str("  ", who(before, now), " at ", line_of(before.code), ", no barrier between\n");
}

bool same_warp(unsigned short who, const Observation& now) {
  const int warp = now.thread / 32;
  return who < several_lanes ? who / 32 == warp : who == several_lanes + warp;
}

/// Whether nothing lies between `before` and now.
bool unordered(const Check& check, const Access& before, const Observation& now, bool shared) {
  if (before.interval == 0) return false;
  if (before.interval < check.launch_interval) {
    return now.waits_for_launch && !shared && before.interval >= check.launch_before_interval;
  }
  if (before.interval < now.first_interval) return !shared;  // shared memory is new in each block
  if (before.interval < now.phase_interval) return false;    // the cluster has met since
  if (before.interval < now.block_interval) return true;     // another block of the cluster
  if (before.interval != now.interval || before.who == now.thread) return false;
  return !same_warp(before.who, now) || before.warp_interval == now.warp_interval;
}

void check_byte(const Check& check, Byte& byte, bool write, bool shared, Access access,
                const Observation& now) {
  if (unordered(check, byte.write, now, shared) && !(access.atomic && byte.write.atomic)) {
    found(write ? "two writes" : "a read after a write", shared, now, byte.write, access.code);
  }
  if (write) {
    if (unordered(check, byte.read, now, shared) && !(access.atomic && byte.read.atomic)) {
      found("a write after a read", shared, now, byte.read, access.code);
    }
    byte.write = access;
    return;
  }
  if (shared && byte.write.interval < now.first_interval) {
    found("a read of what was never written", shared, now, Access{}, access.code);
  }
  const Access& before = byte.read;
  if (before.interval == now.interval && before.who != now.thread) {
    if (!same_warp(before.who, now)) {
      access.who = several_warps;
    } else if (before.warp_interval == now.warp_interval) {
      access.who = static_cast<unsigned short>(several_lanes + now.thread / 32);
    }
  }
  byte.read = access;
}

void check_access(const void* address, size_t bytes, bool write, bool atomic, const void* code) {
  Check& check = race_check();
  Observation now{};
  if (check.busy || is_index(address) || !observe(address, now)) return;
  check.busy = true;
  const auto* const first = static_cast<const char*>(address);
  const bool shared = now.dynamic_shared || (first >= &__data_start && first < &_end);
  const Access access{now.interval, static_cast<unsigned short>(now.thread), now.warp_interval,
                      atomic, code};
  const auto begin = reinterpret_cast<uintptr_t>(first);
  for (uintptr_t at = begin; at < begin + bytes; ++at) {
    check_byte(check, byte_at(check, at), write, shared, access, now);
  }
  check.busy = false;
}

}  // namespace

void race_check_begin(unsigned first_interval) {
  Check& check = race_check();
  check.launch_before_interval = check.launch_interval;
  check.launch_interval = first_interval + 1;
  check.seen.clear();
  check.report.clear();
}

void race_check_access(const void* address, size_t bytes, bool write) {
  check_access(address, bytes, write, false, __builtin_return_address(0));
}

void race_check_end() {
  if (!race_check().report.empty()) throw KernelError(race_check().report);
}

}  // namespace burin::emulator

// What the compiler calls. The names and signatures are the sanitizer's.
using burin::emulator::check_access;

extern "C" {

void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_vptr_update(void**, void*) {}
void __tsan_vptr_read(void**) {}

void __tsan_read1(void* p) {
  check_access(p, 1, false, false, __builtin_return_address(0));
}
void __tsan_read2(void* p) {
  check_access(p, 2, false, false, __builtin_return_address(0));
}
void __tsan_read4(void* p) {
  check_access(p, 4, false, false, __builtin_return_address(0));
}
void __tsan_read8(void* p) {
  check_access(p, 8, false, false, __builtin_return_address(0));
}
void __tsan_read16(void* p) {
  check_access(p, 16, false, false, __builtin_return_address(0));
}
void __tsan_write1(void* p) {
  check_access(p, 1, true, false, __builtin_return_address(0));
}
void __tsan_write2(void* p) {
  check_access(p, 2, true, false, __builtin_return_address(0));
}
void __tsan_write4(void* p) {
  check_access(p, 4, true, false, __builtin_return_address(0));
}
void __tsan_write8(void* p) {
  check_access(p, 8, true, false, __builtin_return_address(0));
}
void __tsan_write16(void* p) {
  check_access(p, 16, true, false, __builtin_return_address(0));
}
void __tsan_unaligned_read2(void* p) {
  check_access(p, 2, false, false, __builtin_return_address(0));
}
void __tsan_unaligned_read4(void* p) {
  check_access(p, 4, false, false, __builtin_return_address(0));
}
void __tsan_unaligned_read8(void* p) {
  check_access(p, 8, false, false, __builtin_return_address(0));
}
void __tsan_unaligned_read16(void* p) {
  check_access(p, 16, false, false, __builtin_return_address(0));
}
void __tsan_unaligned_write2(void* p) {
  check_access(p, 2, true, false, __builtin_return_address(0));
}
void __tsan_unaligned_write4(void* p) {
  check_access(p, 4, true, false, __builtin_return_address(0));
}
void __tsan_unaligned_write8(void* p) {
  check_access(p, 8, true, false, __builtin_return_address(0));
}
void __tsan_unaligned_write16(void* p) {
  check_access(p, 16, true, false, __builtin_return_address(0));
}
void __tsan_read_range(void* p, unsigned long bytes) {
  check_access(p, bytes, false, false, __builtin_return_address(0));
}
void __tsan_write_range(void* p, unsigned long bytes) {
  check_access(p, bytes, true, false, __builtin_return_address(0));
}

unsigned char __tsan_atomic8_load(const volatile unsigned char* p, int) {
  return __atomic_load_n(p, __ATOMIC_SEQ_CST);
}
unsigned __tsan_atomic32_load(const volatile unsigned* p, int) {
  check_access(const_cast<const unsigned*>(p), 4, false, true, __builtin_return_address(0));
  return __atomic_load_n(p, __ATOMIC_SEQ_CST);
}
unsigned long __tsan_atomic64_load(const volatile unsigned long* p, int) {
  check_access(const_cast<const unsigned long*>(p), 8, false, true, __builtin_return_address(0));
  return __atomic_load_n(p, __ATOMIC_SEQ_CST);
}
unsigned __tsan_atomic32_fetch_add(volatile unsigned* p, unsigned value, int) {
  check_access(const_cast<const unsigned*>(p), 4, true, true, __builtin_return_address(0));
  return __atomic_fetch_add(p, value, __ATOMIC_SEQ_CST);
}
int __tsan_atomic32_compare_exchange_strong(volatile unsigned* p, unsigned* expected,
                                            unsigned value, int, int) {
  check_access(const_cast<const unsigned*>(p), 4, true, true, __builtin_return_address(0));
  return __atomic_compare_exchange_n(p, expected, value, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}
int __tsan_atomic64_compare_exchange_strong(volatile unsigned long* p, unsigned long* expected,
                                            unsigned long value, int, int) {
  check_access(const_cast<const unsigned long*>(p), 8, true, true, __builtin_return_address(0));
  return __atomic_compare_exchange_n(p, expected, value, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}
// What clang calls instead: it yields what was there.
unsigned __tsan_atomic32_compare_exchange_val(volatile unsigned* p, unsigned expected,
                                              unsigned value, int, int) {
  check_access(const_cast<const unsigned*>(p), 4, true, true, __builtin_return_address(0));
  __atomic_compare_exchange_n(p, &expected, value, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
  return expected;
}
unsigned long __tsan_atomic64_compare_exchange_val(volatile unsigned long* p,
                                                   unsigned long expected, unsigned long value, int,
                                                   int) {
  check_access(const_cast<const unsigned long*>(p), 8, true, true, __builtin_return_address(0));
  __atomic_compare_exchange_n(p, &expected, value, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
  return expected;
}

}  // extern "C"
