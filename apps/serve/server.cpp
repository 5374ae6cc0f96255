// libmicrohttpd behind http.h. Threads of its own wait for sockets; what takes longer than a lookup
// is done elsewhere while the connection is suspended.
#include "burin/apps/serve/server.h"

#include <fcntl.h>
#include <microhttpd.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <cstring>

#include "burin/apps/exit.h"
#include "burin/apps/serve/connections.h"
#include "burin/apps/serve/listen.h"

namespace burin::apps {
namespace {

/// A refused body up to this many times what is allowed is read and thrown away: closing at once
/// would reset the connection, and the client would not see why.
constexpr int64_t drained = 4;
constexpr int64_t drained_at_least = 1 << 20;

constexpr size_t longest_address = 8000;  // bytes; RFC 9110, 4.1: what everyone should take
constexpr int most_parameters = 64;

/// The page's own scripts, styles and pictures, and nothing from elsewhere; nobody may frame it.
constexpr const char* security_headers[][2] = {
    {"Content-Security-Policy",
     "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; "
     "form-action 'none'; frame-ancestors 'none'"},
    {"X-Content-Type-Options", "nosniff"},
    {"X-Frame-Options", "DENY"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Permissions-Policy", "camera=(self), microphone=(), geolocation=()"},
};

/// A request under way.
struct Exchange {
  HttpRequest request;
  MHD_Connection* connection = nullptr;
  Connection* watched = nullptr;
  bool address_too_long = false;
  bool head_seen = false;
  bool handed_over = false;
  BodyLimit limit;
  int64_t received = 0;  // of body
  int64_t held = 0;      // of them in memory
  std::optional<HttpResponse> response;
  int status = 0;  // of the response queued
};

MHD_Result add_header(void* cls, enum MHD_ValueKind /*kind*/, const char* name, const char* value) {
  std::string key = name;
  for (char& c : key) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  std::string& all = (*static_cast<std::map<std::string, std::string>*>(cls))[key];
  all += (all.empty() ? "" : ", ") + std::string(value == nullptr ? "" : value);
  return MHD_YES;
}

MHD_Result add_argument(void* cls, enum MHD_ValueKind /*kind*/, const char* name,
                        const char* value) {
  (*static_cast<std::map<std::string, std::string>*>(cls))[name] = value == nullptr ? "" : value;
  return MHD_YES;
}

/// Whether an address is too long, or has too many parameters. Those are cut off then: each would
/// take some of the connection's memory, and where that is full libmicrohttpd 0.9.75 forgets the
/// refusal that it has just made, and the client waits in vain.
bool cut_if_too_long(char* address) {
  char* const query = std::strchr(address, '?');
  const size_t length = std::strlen(address);
  const bool too_long = length > longest_address ||
                        (query && std::count(query, address + length, '&') >= most_parameters);
  if (too_long && query) query[1] = '\0';
  return too_long;
}

class MicroServer : public HttpServer {
 public:
  MicroServer(const ServerOptions& options, HttpService& service);
  ~MicroServer() override { stop(); }

  int port() const override { return port_; }
  void stop() override;

 private:
  // What libmicrohttpd calls; `self` is the server.
  static MHD_Result on_accept(void* self, const sockaddr* address, socklen_t size);
  static void on_connection(void* self, MHD_Connection* connection, void** context,
                            enum MHD_ConnectionNotificationCode what);
  static void* on_first_line(void* self, const char* uri, MHD_Connection* connection);
  static MHD_Result on_request(void* self, MHD_Connection* connection, const char* url,
                               const char* method, const char* version, const char* data,
                               size_t* size, void** context);
  static void on_end(void* self, MHD_Connection* connection, void** context,
                     enum MHD_RequestTerminationCode why);

  MHD_Result take_head(Exchange& exchange, const char* url, const char* method);
  MHD_Result take_body(Exchange& exchange, const char* data, size_t size);
  MHD_Result hand_over(Exchange& exchange);
  MHD_Result send(Exchange& exchange);

  ServerOptions options_;
  HttpService& service_;
  Connections connections_;
  MHD_Daemon* daemon_ = nullptr;
  int port_ = 0;
  std::atomic<int64_t> body_bytes_{0};
  std::atomic<bool> stopping_{false};

  std::mutex mutex_;  // guards the count
  std::condition_variable ended_;
  int under_way_ = 0;
};

MicroServer::MicroServer(const ServerOptions& options, HttpService& service)
    : options_(options),
      service_(service),
      connections_(options.connections_per_client, options.deadline_seconds) {
  const int socket = listen_at(options.host, options.port);
  port_ = port_of(socket);
  daemon_ = MHD_start_daemon(
      MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, on_accept, this, on_request,
      this, MHD_OPTION_LISTEN_SOCKET, socket,                                      //
      MHD_OPTION_THREAD_POOL_SIZE, static_cast<unsigned>(options.threads),         //
      MHD_OPTION_CONNECTION_LIMIT, static_cast<unsigned>(options.connections),     //
      MHD_OPTION_CONNECTION_TIMEOUT, static_cast<unsigned>(options.idle_seconds),  //
      MHD_OPTION_STRICT_FOR_CLIENT, 1,                                             //
      MHD_OPTION_URI_LOG_CALLBACK, on_first_line, this,                            //
      MHD_OPTION_NOTIFY_CONNECTION, on_connection, this,                           //
      MHD_OPTION_NOTIFY_COMPLETED, on_end, this, MHD_OPTION_END);
  if (daemon_ == nullptr) {
    close(socket);
    throw Failure(exit_failed, "the web server could not start");
  }
}

void MicroServer::stop() {
  if (daemon_ == nullptr) return;
  stopping_ = true;
  const int socket = MHD_quiesce_daemon(daemon_);
  if (socket != MHD_INVALID_SOCKET) close(socket);
  {
    std::unique_lock lock(mutex_);
    ended_.wait_for(lock, std::chrono::seconds(options_.deadline_seconds + 1),
                    [&] { return under_way_ == 0; });
  }
  MHD_stop_daemon(daemon_);
  daemon_ = nullptr;
}

MHD_Result MicroServer::on_accept(void* self, const sockaddr* address, socklen_t /*size*/) {
  return static_cast<MicroServer*>(self)->connections_.may_connect(address) ? MHD_YES : MHD_NO;
}

void MicroServer::on_connection(void* self, MHD_Connection* connection, void** context,
                                enum MHD_ConnectionNotificationCode what) {
  Connections& connections = static_cast<MicroServer*>(self)->connections_;
  if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
    connections.close(static_cast<Connection*>(*context));
    return;
  }
  const auto* const socket = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
  const auto* const client =
      MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
  *context = connections.open(socket->connect_fd, client->client_addr);
}

void* MicroServer::on_first_line(void* self, const char* uri, MHD_Connection* connection) {
  auto* const server = static_cast<MicroServer*>(self);
  auto exchange = std::make_unique<Exchange>();
  exchange->connection = connection;
  // A place in the connection's buffer, which libmicrohttpd itself cuts up next.
  exchange->address_too_long = uri != nullptr && cut_if_too_long(const_cast<char*>(uri));
  const auto* const context =
      MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
  exchange->watched = static_cast<Connection*>(context->socket_context);
  exchange->request.arrived = HttpClock::now();
  server->connections_.restart(*exchange->watched);
  const std::lock_guard lock(server->mutex_);
  ++server->under_way_;
  return exchange.release();
}

// NOLINTNEXTLINE(readability-function-size): the parameters are libmicrohttpd's
MHD_Result MicroServer::on_request(void* self, MHD_Connection* /*connection*/, const char* url,
                                   const char* method, const char* /*version*/, const char* data,
                                   size_t* size, void** context) {
  auto* const server = static_cast<MicroServer*>(self);
  Exchange& exchange = *static_cast<Exchange*>(*context);
  if (!exchange.head_seen) return server->take_head(exchange, url, method);
  if (*size > 0) {
    const size_t taken = std::exchange(*size, 0);
    return server->take_body(exchange, data, taken);
  }
  if (exchange.response) return server->send(exchange);
  return server->hand_over(exchange);
}

/// Decides by the head alone. A refusal goes out at once where no body follows, or one too long to
/// be worth reading.
MHD_Result MicroServer::take_head(Exchange& exchange, const char* url, const char* method) {
  exchange.head_seen = true;
  HttpRequest& request = exchange.request;
  request.method = method;
  request.path = url;
  MHD_get_connection_values(exchange.connection, MHD_HEADER_KIND, add_header, &request.headers);
  MHD_get_connection_values(exchange.connection, MHD_GET_ARGUMENT_KIND, add_argument,
                            &request.query);
  const std::string& length = request.header("content-length");
  const bool chunked = !request.header("transfer-encoding").empty();
  const int64_t declared = length.empty() ? 0 : std::strtoll(length.c_str(), nullptr, 10);
  try {
    if (exchange.watched->one_too_many) {
      HttpError error(429, "too_many_requests", "too many connections from this address",
                      options_.connections_per_client);
      error.retry_after = 1;
      throw error;
    }
    if (exchange.address_too_long) {
      throw HttpError(414, "too_large",
                      str("the address is longer than ", longest_address,
                          " bytes, or has more than ", most_parameters, " parameters"));
    }
    if (!length.empty() && chunked) {
      throw HttpError(400, "bad_request",
                      "Content-Length and Transfer-Encoding exclude each other");
    }
    // Of two lengths a proxy before us may have believed the other.
    if (length.find_first_not_of("0123456789") != std::string::npos) {
      throw HttpError(400, "bad_request", "Content-Length is not one number: " + length);
    }
    exchange.limit = service_.admit(request);
    if (declared > exchange.limit.bytes) throw too_large(exchange.limit.told);
  } catch (const HttpError& error) {
    exchange.response = response_of(error);
  }
  if (!exchange.response) return MHD_YES;
  const bool waits_for_leave = !request.header("expect").empty();
  const bool worth_reading = declared > 0 || chunked;
  const int64_t readable = std::max(drained_at_least, drained * exchange.limit.bytes);
  if (waits_for_leave || !worth_reading || declared > readable) return send(exchange);
  return MHD_YES;
}

MHD_Result MicroServer::take_body(Exchange& exchange, const char* data, size_t size) {
  const auto bytes = static_cast<int64_t>(size);
  exchange.received += bytes;
  if (!exchange.response && exchange.received > exchange.limit.bytes) {
    exchange.response = response_of(too_large(exchange.limit.told));
  }
  if (!exchange.response && body_bytes_ + bytes > options_.body_bytes) {
    exchange.response = response_of(busy("too many uploads are under way"));
  }
  if (!exchange.response) {
    exchange.request.body.append(data, size);
    exchange.held += bytes;
    body_bytes_ += bytes;
    return MHD_YES;
  }
  body_bytes_ -= std::exchange(exchange.held, 0);
  exchange.request.body = {};
  const int64_t readable = std::max(drained_at_least, drained * exchange.limit.bytes);
  return exchange.received > readable ? MHD_NO : MHD_YES;
}

/// Suspends the connection before the service sees the request: the answer may come at once, from
/// another thread.
MHD_Result MicroServer::hand_over(Exchange& exchange) {
  if (exchange.handed_over) return MHD_YES;
  exchange.handed_over = true;
  exchange.watched->in_queue = true;
  MHD_suspend_connection(exchange.connection);
  std::string body = std::move(exchange.request.body);
  HttpRequest request = exchange.request;  // the head stays here, for ended()
  request.body = std::move(body);
  service_.handle(std::move(request), HttpAnswer([&exchange, this](HttpResponse response) {
                    exchange.response = std::move(response);
                    body_bytes_ -= std::exchange(exchange.held, 0);
                    exchange.watched->in_queue = false;
                    MHD_resume_connection(exchange.connection);
                  }));
  return MHD_YES;
}

MHD_Result MicroServer::send(Exchange& exchange) {
  const HttpResponse& content = *exchange.response;
  MHD_Response* const response = MHD_create_response_from_buffer(
      content.body.size(), const_cast<char*>(content.body.data()), MHD_RESPMEM_MUST_COPY);
  if (response == nullptr) return MHD_NO;
  MHD_add_response_header(response, "Content-Type", content.type.c_str());
  for (const auto& [name, value] : content.headers) {
    MHD_add_response_header(response, name.c_str(), value.c_str());
  }
  for (const auto& [name, value] : security_headers) MHD_add_response_header(response, name, value);
  if (stopping_) MHD_add_response_header(response, "Connection", "close");
  exchange.status = content.status;
  const MHD_Result queued =
      MHD_queue_response(exchange.connection, static_cast<unsigned>(content.status), response);
  MHD_destroy_response(response);
  return queued;
}

void MicroServer::on_end(void* self, MHD_Connection* /*connection*/, void** context,
                         enum MHD_RequestTerminationCode why) {
  auto* const server = static_cast<MicroServer*>(self);
  const std::unique_ptr<Exchange> exchange(static_cast<Exchange*>(*context));
  *context = nullptr;
  server->body_bytes_ -= exchange->held;
  server->connections_.restart(*exchange->watched);
  const double seconds =
      std::chrono::duration<double>(HttpClock::now() - exchange->request.arrived).count();
  const bool completed = why == MHD_REQUEST_TERMINATED_COMPLETED_OK;
  if (exchange->head_seen) {
    server->service_.ended(exchange->request, completed ? exchange->status : 0, seconds);
  }
  {
    const std::lock_guard lock(server->mutex_);
    --server->under_way_;
  }
  server->ended_.notify_all();
}

}  // namespace

HttpServer::~HttpServer() = default;

std::unique_ptr<HttpServer> start_server(const ServerOptions& options, HttpService& service) {
  return std::make_unique<MicroServer>(options, service);
}

}  // namespace burin::apps
