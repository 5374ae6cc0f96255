#pragma once

#include <gtest/gtest.h>

#include <string>

#include "burin/kernels/registry.h"

namespace burin {

/// A test of every device's kernels, skipped where there is no such device. Its suite's instances:
/// RUN_ON_DEVICES(Suite).
class OnDevice : public testing::TestWithParam<DeviceKind> {
 protected:
  void SetUp() override {
    if (registry().device(GetParam()) == nullptr) GTEST_SKIP() << "no " << name_of(GetParam());
  }
  Device device() const { return {GetParam(), 0}; }
};

#define RUN_ON_DEVICES(Suite)                                                                   \
  INSTANTIATE_TEST_SUITE_P(                                                                     \
      Devices, Suite, testing::Values(DeviceKind::cpu, DeviceKind::emulator, DeviceKind::cuda), \
      [](const auto& test) { return std::string(name_of(test.param)); })

}  // namespace burin
