#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "burin/apps/serve/http.h"

namespace burin::apps {

struct ServerOptions {
  std::string host = "127.0.0.1";  // an address of this machine, or a name of one
  int port = 8000;                 // 0: a free one
  int threads = 2;
  int connections = 256;
  int connections_per_client = 64;  // but not from 127.0.0.1 and ::1, where a proxy would be
  int idle_seconds = 10;            // a connection on which nothing moves is closed
  int deadline_seconds = 30;        // for a request, from its first line to its last byte
  int64_t body_bytes = 256 << 20;   // of all requests under way together
};

/// An HTTP server on threads of its own.
class HttpServer {
 public:
  virtual ~HttpServer();
  /// The port it listens on.
  virtual int port() const = 0;
  /// Accepts no more connections, waits until the requests under way have ended, at most for their
  /// deadline, and stops.
  virtual void stop() = 0;
};

/// Starts to listen and to serve `service`, which must outlive the server.
/// Throws Failure where it can't listen there, or where burin was built without libmicrohttpd.
std::unique_ptr<HttpServer> start_server(const ServerOptions& options, HttpService& service);

}  // namespace burin::apps
