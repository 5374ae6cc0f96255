#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "burin/apps/progress.h"
#include "burin/kernels/base/device.h"

namespace burin::apps {

/// Which cases and implementations a report is about.
struct KernelSelection {
  std::string op;    // with its directions; empty: all
  std::string impl;  // rules as --impl takes them; empty: all
  Device device = Device::cpu();
};

/// The table ops × implementations × dtypes: which layouts each accepts in the op's cases, "3/8"
/// where not all of them.
void print_kernel_table(std::ostream& out, const KernelSelection& selection);

/// Families and why one is missing; per op the order in which implementations are tried, and each
/// one's reasons to refuse.
void print_kernel_reasons(std::ostream& out, const KernelSelection& selection);

/// Holds the selected implementations to the op's cases. Returns the number of failed checks.
/// Throws Failure if nothing was checked.
int check_kernels(std::ostream& out, const KernelSelection& selection, Progress& progress);

/// Times them on the cases of a real network's size, `seconds` each, and checks each result once.
/// Returns the number of wrong results.
int bench_kernels(std::ostream& out, const KernelSelection& selection, double seconds,
                  Progress& progress);

}  // namespace burin::apps
