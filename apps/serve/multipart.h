#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace burin::apps {

/// One part of a form. `content` is a view into the body.
struct FormPart {
  std::string name;
  std::string filename;  // may be empty
  std::string type;      // Content-Type as sent, or empty
  std::string_view content;
};

/// True for "multipart/form-data; …".
bool is_multipart(std::string_view content_type);

/// Takes a body of type multipart/form-data apart (RFC 7578 and 2046, strictly: no preamble, no
/// epilogue, CRLF line ends, no nesting, no transfer encoding).
/// Throws Error saying what is wrong. One pass, no copy of a content; at most 64 parts, each with
/// at most 8 headers of 4 KiB together.
std::vector<FormPart> parse_multipart(std::string_view content_type, std::string_view body);

}  // namespace burin::apps
