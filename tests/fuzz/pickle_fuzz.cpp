#include "burin/tensor/files/pickle.h"

#include <array>

#include "../support/read_everything.h"
#include "burin/tensor/files/torch_tensors.h"

// The pickle of a .pth file, and the walk that finds tensors in it. Every storage has 256 bytes.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace burin;
  static const std::array<std::byte, 256> content{};
  const auto read_listing = [](Bytes file) {
    ByteReader reader(file, "pickle");
    const Pickle pickle = Pickle::read(reader);
    WeightListing listing;
    const StorageBytes bytes_of = [](const TorchStorage& /*storage*/) { return Bytes(content); };
    collect_tensors(pickle, bytes_of, file.size(), listing);
    return listing;
  };
  testing_support::read_everything(read_listing, std::as_bytes(std::span(data, size)));
  return 0;
}
