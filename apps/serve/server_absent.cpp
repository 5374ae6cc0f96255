// Takes the place of server.cpp where libmicrohttpd was not there when burin was built.
#include "burin/apps/exit.h"
#include "burin/apps/serve/server.h"

namespace burin::apps {

HttpServer::~HttpServer() = default;

std::unique_ptr<HttpServer> start_server(const ServerOptions& /*options*/,
                                         HttpService& /*service*/) {
  throw Failure(exit_failed, "this burin was built without a web server",
                "install libmicrohttpd-dev and build it again");
}

}  // namespace burin::apps
