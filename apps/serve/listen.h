#pragma once

#include <string>

namespace burin::apps {

/// Opens a socket that listens at `host`, an address of this machine or a name of one; port 0 takes
/// a free one. Throws Failure saying what stands in the way.
int listen_at(const std::string& host, int port);

/// The port a socket listens on.
int port_of(int socket);

}  // namespace burin::apps
