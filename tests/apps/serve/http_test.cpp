#include "burin/apps/serve/http.h"

#include <gtest/gtest.h>

namespace burin::apps {
namespace {

TEST(ServeHost, LetsAddressesAndNamesOfThisMachineIn) {
  for (const char* const host : {"127.0.0.1:8000", "127.0.0.1", "localhost:1", "LOCALHOST",
                                 "[::1]:8000", "[::1]", "192.168.1.20:8000", "app.localhost"}) {
    EXPECT_TRUE(is_host_allowed(host, {})) << host;
  }
}

// DNS rebinding: a foreign page's own name is made to point here, and its scripts may then ask us.
TEST(ServeHost, KeepsOtherNamesOut) {
  for (const char* const host :
       {"evil.example", "evil.example:8000", "", "127.0.0.1.evil.example", "localhost.evil.example",
        "[::1", "127.0.0.1:80:80", "127.0.0.1:x", "[]", ":", "localhost@evil.example"}) {
    EXPECT_FALSE(is_host_allowed(host, {})) << host;
  }
  EXPECT_TRUE(is_host_allowed("Faces.example.org:443", {"faces.example.org"}));
  EXPECT_TRUE(is_host_allowed("anything", {"*"}));
}

TEST(ServeAnswer, IsGivenOnceAndNeverForgotten) {
  std::vector<int> statuses;
  const auto note = [&](const HttpResponse& response) { statuses.push_back(response.status); };
  {
    HttpAnswer answer(note);
    answer(response_of(busy("")));
    answer({});
  }
  { const HttpAnswer dropped(note); }
  EXPECT_EQ(statuses, (std::vector<int>{503, 500}));
}

TEST(ServeError, TellsCodeMessageAndLimit) {
  const HttpResponse large = response_of(too_large(10));
  EXPECT_EQ(large.status, 413);
  EXPECT_EQ(
      large.body,
      R"({"error":{"code":"too_large","message":"the upload is larger than 10 bytes","limit":10}})");
  const HttpResponse later = response_of(busy("no room"));
  EXPECT_EQ(later.status, 503);
  EXPECT_EQ(later.headers.at(0), (std::pair<std::string, std::string>("Retry-After", "1")));
}

}  // namespace
}  // namespace burin::apps
