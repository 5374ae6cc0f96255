// The registry is filled once in a process, so the plug-in is named before anything asks for it.
#include <gtest/gtest.h>

#include <cstdlib>

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  setenv("BURIN_PLUGINS", MY_KERNEL, 1);
  return RUN_ALL_TESTS();
}
