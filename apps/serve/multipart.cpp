#include "burin/apps/serve/multipart.h"

#include <algorithm>

#include "burin/kernels/base/error.h"

namespace burin::apps {
namespace {

constexpr std::string_view line_end = "\r\n";
constexpr size_t most_parts = 64;
constexpr size_t most_headers = 8;
constexpr size_t most_header_bytes = 4096;  // of one part
constexpr size_t longest_boundary = 70;     // RFC 2046, section 5.1.1

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool same_word(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

/// RFC 9110: what a name may consist of.
bool is_token(char c) {
  const bool letter_or_digit = (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z');
  return letter_or_digit || std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

/// Reads `text` from the left.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  bool at_end() const { return text_.empty(); }
  std::string_view rest() const { return text_; }
  bool take(std::string_view word) {
    if (!text_.starts_with(word)) return false;
    text_.remove_prefix(word.size());
    return true;
  }
  void skip_blanks() {
    while (!text_.empty() && (text_[0] == ' ' || text_[0] == '\t')) text_.remove_prefix(1);
  }
  std::string_view take_token() {
    const auto end = std::find_if_not(text_.begin(), text_.end(), is_token);
    return take_first(static_cast<size_t>(end - text_.begin()));
  }
  /// Up to `mark`, which is taken too. Error saying what is missing where there is none.
  std::string_view take_until(std::string_view mark, const char* missing) {
    const size_t end = text_.find(mark);
    check(end != std::string_view::npos, "multipart: ", missing);
    const std::string_view found = take_first(end);
    take(mark);
    return found;
  }
  /// A token, or a string in quotes. In one, \" and \\ are what follows the backslash; any other
  /// backslash is itself, because browsers do not escape it (C:\photo.jpg).
  std::string take_value() {
    if (!take("\"")) return std::string(take_token());
    std::string value;
    while (!take("\"")) {
      check(!at_end(), "multipart: a quoted string has no end");
      if (text_.starts_with("\\\"") || text_.starts_with("\\\\")) text_.remove_prefix(1);
      value += text_[0];
      text_.remove_prefix(1);
    }
    return value;
  }

 private:
  std::string_view take_first(size_t count) {
    const std::string_view first = text_.substr(0, count);
    text_.remove_prefix(count);
    return first;
  }

  std::string_view text_;
};

struct Parameter {
  std::string_view name;
  std::string value;
};

/// "; name=value; …" up to the end. Each name at most once.
std::vector<Parameter> read_parameters(Scanner scanner) {
  std::vector<Parameter> parameters;
  for (scanner.skip_blanks(); !scanner.at_end(); scanner.skip_blanks()) {
    check(scanner.take(";"), "multipart: a parameter must follow ';'");
    scanner.skip_blanks();
    if (scanner.at_end()) break;
    const std::string_view name = scanner.take_token();
    check(!name.empty() && scanner.take("="), "multipart: a parameter is not name=value");
    for (const Parameter& earlier : parameters) {
      check(!same_word(earlier.name, name), "multipart: the parameter ", name, " is there twice");
    }
    parameters.push_back({name, scanner.take_value()});
  }
  return parameters;
}

const std::string* find(const std::vector<Parameter>& parameters, std::string_view name) {
  for (const Parameter& parameter : parameters) {
    if (same_word(parameter.name, name)) return &parameter.value;
  }
  return nullptr;
}

std::string read_boundary(std::string_view content_type) {
  Scanner scanner(content_type);
  scanner.take_until("/", "no media type");
  scanner.take_token();
  const std::vector<Parameter> parameters = read_parameters(scanner);
  const std::string* const boundary = find(parameters, "boundary");
  check(boundary != nullptr && !boundary->empty(), "multipart: Content-Type names no boundary");
  check(boundary->size() <= longest_boundary, "multipart: the boundary has ", boundary->size(),
        " characters, more than ", longest_boundary);
  const bool sound = std::all_of(boundary->begin(), boundary->end(), [](char c) {
    return is_token(c) || std::string_view("()/:=?, ").find(c) != std::string_view::npos;
  });
  check(sound && boundary->back() != ' ', "multipart: the boundary has characters it may not have");
  return *boundary;
}

void read_disposition(std::string_view value, FormPart& part) {
  Scanner scanner(value);
  check(same_word(scanner.take_token(), "form-data"),
        "multipart: a part's Content-Disposition is not form-data");
  const std::vector<Parameter> parameters = read_parameters(scanner);
  const std::string* const name = find(parameters, "name");
  check(name != nullptr && !name->empty(), "multipart: a part has no name");
  part.name = *name;
  if (const std::string* const filename = find(parameters, "filename")) part.filename = *filename;
}

void read_header(std::string_view line, FormPart& part) {
  Scanner scanner(line);
  const std::string_view name = scanner.take_token();
  check(!name.empty() && scanner.take(":"), "multipart: a part's header is not name: value");
  const std::string_view rest = line.substr(name.size() + 1);
  const size_t begin = std::min(rest.find_first_not_of(" \t"), rest.size());
  const std::string_view value = rest.substr(begin);
  const bool printable = std::all_of(value.begin(), value.end(), [](char c) {
    return c == '\t' || (static_cast<unsigned char>(c) >= 32 && c != 127);
  });
  check(printable, "multipart: a part's header ", name, " has control characters");
  if (same_word(name, "content-disposition")) {
    check(part.name.empty(), "multipart: a part has two Content-Dispositions");
    read_disposition(value, part);
  } else if (same_word(name, "content-type")) {
    check(!same_word(value.substr(0, 10), "multipart/"), "multipart: forms do not nest");
    part.type = value;
  } else if (same_word(name, "content-transfer-encoding")) {
    check(same_word(value, "binary") || same_word(value, "8bit") || same_word(value, "7bit"),
          "multipart: Content-Transfer-Encoding ", value, " is not read");
  }
}

/// Headers up to the empty line, which is taken too.
FormPart read_head(Scanner& scanner) {
  FormPart part;
  size_t headers = 0;
  check(scanner.rest().substr(0, most_header_bytes + line_end.size() * 2).find("\r\n\r\n") !=
            std::string_view::npos,
        "multipart: a part's headers do not end within ", most_header_bytes, " bytes");
  for (;;) {
    const std::string_view line = scanner.take_until(line_end, "a part's headers do not end");
    if (line.empty()) break;
    check(++headers <= most_headers, "multipart: a part has more than ", most_headers, " headers");
    read_header(line, part);
  }
  check(!part.name.empty(), "multipart: a part has no Content-Disposition");
  return part;
}

}  // namespace

bool is_multipart(std::string_view content_type) {
  constexpr std::string_view type = "multipart/form-data";
  return same_word(content_type.substr(0, type.size()), type) &&
         (content_type.size() == type.size() || content_type[type.size()] == ';' ||
          content_type[type.size()] == ' ');
}

std::vector<FormPart> parse_multipart(std::string_view content_type, std::string_view body) {
  check(is_multipart(content_type), "multipart: the type is not multipart/form-data");
  const std::string delimiter = "--" + read_boundary(content_type);
  Scanner scanner(body);
  check(scanner.take(delimiter), "multipart: the body does not begin with its boundary");
  const std::string next = std::string(line_end) + delimiter;
  std::vector<FormPart> parts;
  while (!scanner.take("--")) {
    check(scanner.take(line_end), "multipart: a boundary is not followed by a line end");
    check(parts.size() < most_parts, "multipart: more than ", most_parts, " parts");
    FormPart part = read_head(scanner);
    part.content = scanner.take_until(next, "a part has no end");
    parts.push_back(std::move(part));
  }
  scanner.take(line_end);
  check(scanner.at_end(), "multipart: something follows the last boundary");
  return parts;
}

}  // namespace burin::apps
