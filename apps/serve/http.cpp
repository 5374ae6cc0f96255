#include "burin/apps/serve/http.h"

#include <arpa/inet.h>
#include <unistd.h>

#include <algorithm>

#include "burin/apps/json.h"

namespace burin::apps {
namespace {

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return result;
}

/// Without ":8000", and without the brackets around an IPv6 address. Empty if it is no host.
std::string name_of_host(std::string_view host) {
  const size_t colon = host.rfind(':');
  const bool bracketed = host.starts_with('[');
  if (colon != std::string_view::npos && (!bracketed || host[colon - 1] == ']')) {
    const std::string_view port = host.substr(colon + 1);
    if (port.size() > 5 || port.find_first_not_of("0123456789") != std::string_view::npos) {
      return "";
    }
    host = host.substr(0, colon);
  }
  if (bracketed) {
    if (host.size() < 2 || !host.ends_with(']')) return "";
    host = host.substr(1, host.size() - 2);
  }
  return lower(host);
}

bool is_address(const std::string& name) {
  in6_addr address{};
  return inet_pton(AF_INET, name.c_str(), &address) == 1 ||
         inet_pton(AF_INET6, name.c_str(), &address) == 1;
}

std::string machine_name() {
  char name[256] = {};
  return gethostname(name, sizeof(name) - 1) == 0 ? lower(name) : "localhost";
}

}  // namespace

const std::string& HttpRequest::header(const std::string& name) const {
  static const std::string absent;
  const auto found = headers.find(name);
  return found == headers.end() ? absent : found->second;
}

HttpError::~HttpError() = default;

HttpError too_large(int64_t limit) {
  return {413, "too_large", str("the upload is larger than ", limit, " bytes"), limit};
}

HttpError busy(const std::string& message) {
  HttpError error(503, "busy", message);
  error.retry_after = 1;
  return error;
}

HttpResponse response_of(const HttpError& error) {
  Json what = Json::object();
  what.set("code", Json::of(error.code)).set("message", Json::of(error.what()));
  if (error.limit) what.set("limit", Json::of(*error.limit));
  Json document = Json::object();
  document.set("error", std::move(what));
  HttpResponse response;
  response.status = error.status;
  response.body = document.text();
  if (error.retry_after) {
    response.headers.emplace_back("Retry-After", std::to_string(*error.retry_after));
  }
  if (!error.allow.empty()) response.headers.emplace_back("Allow", error.allow);
  return response;
}

HttpAnswer::~HttpAnswer() {
  if (send_) (*this)(response_of({500, "internal", "the request was dropped"}));
}

void HttpAnswer::operator()(HttpResponse response) {
  const auto send = std::exchange(send_, nullptr);
  if (send) send(std::move(response));
}

HttpService::~HttpService() = default;

bool is_host_allowed(std::string_view host, const std::vector<std::string>& allowed) {
  if (std::find(allowed.begin(), allowed.end(), "*") != allowed.end()) return true;
  const std::string name = name_of_host(host);
  if (name.empty()) return false;
  if (name == "localhost" || name.ends_with(".localhost") || is_address(name)) return true;
  if (name == machine_name()) return true;
  return std::any_of(allowed.begin(), allowed.end(),
                     [&](const std::string& one) { return lower(one) == name; });
}

}  // namespace burin::apps
