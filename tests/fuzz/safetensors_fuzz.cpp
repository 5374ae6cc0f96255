#include "../support/read_everything.h"
#include "burin/tensor/files/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace burin;
  testing_support::read_everything(read_safetensors, std::as_bytes(std::span(data, size)));
  return 0;
}
