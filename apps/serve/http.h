#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "burin/kernels/base/error.h"

namespace burin::apps {

using HttpClock = std::chrono::steady_clock;

/// What a client asked. The head is here first, the body once all of it has come.
struct HttpRequest {
  std::string method;
  std::string path;                            // decoded, without the query
  std::map<std::string, std::string> query;    // decoded
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
  HttpClock::time_point arrived;  // its first line

  /// The header of this name (in lower case), or "".
  const std::string& header(const std::string& name) const;
};

struct HttpResponse {
  int status = 200;
  std::string type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
};

/// A request refused: {"error": {"code", "message", "limit"}} with its status.
class HttpError : public Error {
 public:
  HttpError(int http_status, std::string error_code, const std::string& message,
            std::optional<int64_t> limit_passed = {})
      : Error(message), status(http_status), code(std::move(error_code)), limit(limit_passed) {}
  ~HttpError() override;

  int status;
  std::string code;                // "too_large": for programs
  std::optional<int64_t> limit;    // the number that was passed
  std::optional<int> retry_after;  // seconds
  std::string allow;               // for 405
};

/// 413: more than `limit` bytes.
HttpError too_large(int64_t limit);
/// 503, to be tried again in a second.
HttpError busy(const std::string& message);

HttpResponse response_of(const HttpError& error);

/// Where the one response to a request goes, from any thread. One that is dropped without a word
/// answers 500, so that no client waits for ever.
class HttpAnswer {
 public:
  explicit HttpAnswer(std::function<void(HttpResponse)> send) : send_(std::move(send)) {}
  HttpAnswer(HttpAnswer&& other) noexcept : send_(std::exchange(other.send_, nullptr)) {}
  HttpAnswer& operator=(HttpAnswer&&) = delete;
  ~HttpAnswer();

  void operator()(HttpResponse response);

 private:
  std::function<void(HttpResponse)> send_;
};

struct BodyLimit {
  int64_t bytes = 0;  // of the body
  int64_t told = 0;   // what a client is told: without what a form adds to it
};

/// What a server serves. Called on the server's threads, so nothing here may take long.
class HttpService {
 public:
  virtual ~HttpService();
  /// The head is here. How long its body may be: a longer one is refused with too_large.
  /// Throws HttpError to refuse the request before its body is read.
  virtual BodyLimit admit(const HttpRequest& head) = 0;
  virtual void handle(HttpRequest request, HttpAnswer answer) = 0;
  /// A request has ended. `status` 0: its connection broke, or was cut.
  virtual void ended(const HttpRequest& head, int status, double seconds) = 0;
};

/// True for a Host header that no foreign page can have led here by DNS rebinding: an address, a
/// name of this machine, or one of `allowed` ("*": any). With or without a port.
bool is_host_allowed(std::string_view host, const std::vector<std::string>& allowed);

}  // namespace burin::apps
