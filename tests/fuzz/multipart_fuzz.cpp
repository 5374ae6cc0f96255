#include "burin/apps/serve/multipart.h"

#include <algorithm>

#include "burin/kernels/base/error.h"

// A first line that is the Content-Type, then the body: both are the client's to choose.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace burin;
  const std::string_view all(reinterpret_cast<const char*>(data), size);
  const size_t line = std::min(all.find('\n'), all.size());
  const std::string_view body = all.substr(std::min(line + 1, all.size()));
  try {
    size_t bytes = 0;
    for (const apps::FormPart& part : apps::parse_multipart(all.substr(0, line), body)) {
      const char* const begin = part.content.data();
      const bool inside =
          begin >= body.data() && begin + part.content.size() <= body.data() + body.size();
      if (!inside) __builtin_trap();
      bytes += part.content.size();
    }
    if (bytes > body.size()) __builtin_trap();
  } catch (const Error&) {
    return 0;
  }
  return 0;
}
