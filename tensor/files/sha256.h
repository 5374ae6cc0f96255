#pragma once

#include <array>
#include <string>

#include "burin/tensor/files/bytes.h"

namespace burin {

/// SHA-256 of the bytes as 64 hexadecimal digits. FIPS 180-4.
std::string sha256(Bytes bytes);

}  // namespace burin
