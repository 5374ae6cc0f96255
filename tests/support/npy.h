#pragma once

#include <fstream>
#include <regex>
#include <string>
#include <vector>

#include "burin/kernels/base/shape.h"

namespace burin::testing_support {

/// A NumPy file of little-endian f32 in C order, as the reference vectors are.
struct Npy {
  Shape shape;
  std::vector<float> values;

  explicit Npy(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(in)), {});
    check(bytes.starts_with("\x93NUMPY\x01"), path, ": not a NumPy file of version 1");
    const size_t length =
        static_cast<unsigned char>(bytes[8]) | static_cast<unsigned char>(bytes[9]) << 8;
    const std::string header = bytes.substr(10, length);
    check(header.find("'<f4'") != std::string::npos, path, ": not f32");
    std::smatch list;
    check(std::regex_search(header, list, std::regex(R"('shape': \(([^)]*)\))")), path,
          ": no shape");
    const std::string extents = list[1];
    const std::regex number(R"(\d+)");
    for (std::sregex_iterator i(extents.begin(), extents.end(), number), end; i != end; ++i) {
      shape.push_back(std::stoll(i->str()));
    }
    values.resize(static_cast<size_t>(numel(shape)));
    bytes.copy(reinterpret_cast<char*>(values.data()), values.size() * sizeof(float), 10 + length);
  }
};

}  // namespace burin::testing_support
