#include "../support/read_everything.h"
#include "burin/tensor/files/torch_file.h"

// Whole files: the archive, the legacy stream. A zip's CRC-32 keeps most changes from its pickle,
// which is why pickle_fuzz.cpp reads that alone.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace burin;
  const Bytes file = std::as_bytes(std::span(data, size));
  testing_support::read_everything(looks_like_torch_zip(file) ? read_torch_zip : read_torch_legacy,
                                   file);
  return 0;
}
