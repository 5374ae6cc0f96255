#include "burin/kernels/base/error.h"

namespace burin {

Error::~Error() = default;
OutOfMemory::~OutOfMemory() = default;

}  // namespace burin
