// The API of `burin serve` from outside: a process of its own, asked over sockets.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "apps/serve/served.h"
#include "burin/apps/exit.h"

namespace burin {
namespace {

using nlohmann::json;

class ServeApi : public testing::Test {
 protected:
  static void SetUpTestSuite() { server_ = new ServedProcess("--max-upload 500k"); }
  static void TearDownTestSuite() {
    delete server_;
    server_ = nullptr;
  }
  void SetUp() override {
    if (server_->absent()) GTEST_SKIP() << "burin was built without libmicrohttpd";
    ASSERT_NE(server_->port(), 0) << server_->log();
  }
  static std::string code(const HttpReply& reply) {
    return json::parse(reply.body)["error"]["code"].get<std::string>();
  }
  static void expect_error(const HttpReply& reply, int status, const std::string& code_wanted) {
    EXPECT_EQ(reply.status, status) << reply.body;
    EXPECT_EQ(code(reply), code_wanted) << reply.body;
  }

  static ServedProcess* server_;
};
ServedProcess* ServeApi::server_ = nullptr;

TEST_F(ServeApi, PredictsABodyOrAForm) {
  const HttpReply raw = server_->predict(server_->png());
  ASSERT_EQ(raw.status, 200) << raw.body;
  const json answer = json::parse(raw.body);
  EXPECT_EQ(answer["model"], "first");
  const json& result = answer["results"].at(0);
  EXPECT_EQ(result["width"], 40);
  EXPECT_EQ(result["height"], 30);
  EXPECT_NEAR(
      result["probabilities"]["ai"].get<double>() + result["probabilities"]["real"].get<double>(),
      1, 1e-4);
  EXPECT_TRUE(result["label"] == "ai" || result["label"] == "real");
  for (const char* const stage : {"decode", "preprocess", "forward"}) {
    EXPECT_GE(result["ms"][stage].get<double>(), 0);
  }
  EXPECT_GT(answer["ms_total"].get<double>(), 0);

  const std::string type = "multipart/form-data; boundary=b";
  const json form =
      json::parse(server_
                      ->ask(ServedProcess::post("?model=second&topk=1", type,
                                                ServedProcess::form(server_->png(), 16)))
                      .body);
  EXPECT_EQ(form["model"], "second");
  ASSERT_EQ(form["results"].size(), 16u);
  EXPECT_EQ(form["results"][15]["file"], "15.png");
  EXPECT_EQ(form["results"][15]["probabilities"].size(), 1u);
}

TEST_F(ServeApi, ExplainsWithGradCam) {
  const HttpReply reply = server_->predict(server_->png(), "?gradcam=1&target=real");
  ASSERT_EQ(reply.status, 200) << reply.body;
  const json result = json::parse(reply.body)["results"][0];
  EXPECT_EQ(result["gradcam"].get<std::string>().substr(0, 29), "data:image/png;base64,iVBORw0");
  EXPECT_EQ(result["gradcam_class"], "real");
  EXPECT_EQ(result["gradcam_box"], json({5.0, 0.0, 30.0, 30.0})) << "the middle square of 40 x 30";
}

TEST_F(ServeApi, TellsOneBadImageAmongOthers) {
  const std::string good = ServedProcess::form(server_->png(), 1);
  const std::string body = good.substr(0, good.size() - 7) + ServedProcess::form("no image", 1);
  const HttpReply reply =
      server_->ask(ServedProcess::post("", "multipart/form-data; boundary=b", body));
  ASSERT_EQ(reply.status, 200) << reply.body;
  const json results = json::parse(reply.body)["results"];
  EXPECT_TRUE(results[0].contains("label"));
  EXPECT_EQ(results[1]["error"]["code"], "not_an_image");
}

TEST_F(ServeApi, RefusesInWords) {
  const std::string& png = server_->png();
  const auto post = &ServedProcess::post;
  const std::string form = "multipart/form-data; boundary=b";
  expect_error(server_->predict(png, "?topk=0"), 400, "bad_request");
  expect_error(server_->predict(png, "?topk=2x"), 400, "bad_request");
  expect_error(server_->predict(png, "?topk=99999999999999999999"), 400, "bad_request");
  expect_error(server_->predict(png, "?topK=1"), 400, "bad_request");
  expect_error(server_->predict(png, "?model=third"), 400, "bad_request");
  expect_error(server_->predict(png, "?target=cat"), 400, "bad_request");
  expect_error(server_->ask(post("", form, ServedProcess::form(png, 1, "photo"))), 400,
               "bad_request");
  expect_error(server_->ask(post("", form, "--b--")), 400, "bad_request");
  expect_error(server_->ask(post("", form, "--c\r\n")), 400, "bad_multipart");
  expect_error(server_->get("/nowhere"), 404, "not_found");
  expect_error(server_->get("/assets/../page.cpp"), 404, "not_found");
  expect_error(server_->get("/examples/9.png"), 404, "not_found");
  expect_error(server_->get("/api/v1/predict"), 405, "method_not_allowed");
  EXPECT_TRUE(server_->get("/api/v1/predict").has("Allow: POST\r\n"));
  expect_error(
      server_->ask(
          "POST /api/v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n\r\n"),
      411, "length_required");
  expect_error(server_->ask(post("", "text/plain", png)), 415, "unsupported_media_type");
  expect_error(server_->predict("no image"), 415, "not_an_image");
  expect_error(server_->predict(""), 422, "empty_image");
  expect_error(server_->predict(png.substr(0, png.size() / 2)), 422, "broken_image");
  expect_error(server_->ask("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n"), 400, "bad_host");
  expect_error(server_->ask("GET / HTTP/1.0\r\nHost: evil.example\r\n\r\n"), 400, "bad_host");
  EXPECT_EQ(server_->ask("GET /healthz HTTP/1.0\r\n\r\n").status, 200);
  expect_error(server_->ask("POST /api/v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
                            "image/png\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nabcde"),
               400, "bad_request");
}

TEST_F(ServeApi, KeepsItsLimits) {
  const std::string large(600 << 10, 'x');
  const HttpReply declared = server_->predict(large);
  expect_error(declared, 413, "too_large");
  EXPECT_EQ(json::parse(declared.body)["error"]["limit"], 500 << 10);
  expect_error(server_->ask(ServedProcess::post("", "multipart/form-data; boundary=b",
                                                ServedProcess::form(large, 1))),
               413, "too_large");
  // Two images of 300 KiB: each is small enough, together they are not.
  const std::string half(300 << 10, 'x');
  expect_error(server_->ask(ServedProcess::post("", "multipart/form-data; boundary=b",
                                                ServedProcess::form(half, 2))),
               413, "too_large");
  const HttpReply many = server_->ask(
      ServedProcess::post("", "multipart/form-data; boundary=b", ServedProcess::form("x", 17)));
  expect_error(many, 413, "too_many_files");
  EXPECT_EQ(json::parse(many.body)["error"]["limit"], 16);
  // 10,000 x 10,000 pixels in a header of a few bytes.
  const std::string bomb = "P6 10000 10000 255\n" + std::string(1000, 'x');
  expect_error(server_->predict(bomb), 422, "too_many_pixels");

  // Without a length, in chunks, past the limit.
  std::string chunked =
      "POST /api/v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
      "image/png\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (int i = 0; i < 10; ++i) chunked += "10000\r\n" + std::string(0x10000, 'x') + "\r\n";
  expect_error(server_->ask(chunked + "0\r\n\r\n"), 413, "too_large");
}

TEST_F(ServeApi, AnswersWithSafeHeaders) {
  for (const char* const path : {"/", "/api/v1/model", "/nowhere"}) {
    const HttpReply reply = server_->get(path);
    EXPECT_TRUE(
        reply.has("Content-Security-Policy: default-src 'self'; img-src 'self' data: blob:"))
        << path;
    EXPECT_TRUE(reply.has("X-Content-Type-Options: nosniff\r\n")) << path;
    EXPECT_FALSE(reply.has("Access-Control-Allow")) << path;
  }
}

TEST_F(ServeApi, ServesThePageModelExamplesAndHealth) {
  EXPECT_NE(server_->get("/").body.find("<h1"), std::string::npos);
  for (const char* const name : {"page.js", "page.css", "strings.js", "icon.svg"}) {
    EXPECT_EQ(server_->get(std::string("/assets/") + name).status, 200) << name;
  }
  const json model = json::parse(server_->get("/api/v1/model").body);
  EXPECT_EQ(model["model"]["accuracy"], 0.75);
  EXPECT_EQ(model["models"].size(), 2u);
  EXPECT_EQ(model["limits"]["upload_bytes"], 500 << 10);
  const json examples = json::parse(server_->get("/api/v1/examples").body)["examples"];
  ASSERT_EQ(examples.size(), 1u);
  EXPECT_EQ(server_->get(examples[0]["url"].get<std::string>()).body, server_->png());
  EXPECT_EQ(server_->get("/healthz").status, 200);
  EXPECT_EQ(server_->get("/readyz").status, 200);
  const std::string metrics = server_->get("/metrics").body;
  for (const char* const name : {"burin_http_requests_total{route=\"/healthz\",status=\"200\"}",
                                 "burin_http_request_seconds_bucket", "burin_queue_images 0",
                                 "burin_model_load_seconds{model=\"first\"}", "le=\"+Inf\""}) {
    EXPECT_NE(metrics.find(name), std::string::npos) << name;
  }
}

TEST_F(ServeApi, KeepsAConnectionForTheNextRequest) {
  RawClient client(server_->port());
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(client.send(ServedProcess::predict_request(server_->png())));
    ASSERT_EQ(client.receive().status, 200);
  }
}

/// Follows "$ref": "#/components/…".
const json& resolved(const json& document, const json& node) {
  const auto ref = node.find("$ref");
  return ref == node.end() ? node
                           : document.at(json::json_pointer(ref->get<std::string>().substr(1)));
}

/// Whether `value` is what the schema says: types, required and enumerated values.
void expect_fits(const json& document, const json& schema_or_ref, const json& value,
                 const std::string& where) {
  const json& schema = resolved(document, schema_or_ref);
  const std::string type = schema.value("type", "");
  const bool fits =
      type.empty() || (type == "object" && value.is_object()) ||
      (type == "array" && value.is_array()) || (type == "string" && value.is_string()) ||
      (type == "integer" && value.is_number_integer()) || (type == "number" && value.is_number());
  ASSERT_TRUE(fits) << where << " is no " << type << ": " << value;
  if (schema.contains("enum")) {
    EXPECT_NE(std::find(schema["enum"].begin(), schema["enum"].end(), value), schema["enum"].end())
        << where << ": " << value;
  }
  for (const json& name : schema.value("required", json::array())) {
    EXPECT_TRUE(value.contains(name.get<std::string>())) << where << '.' << name;
  }
  if (type == "array") {
    for (const json& item : value) expect_fits(document, schema["items"], item, where + "[]");
  }
  if (!schema.contains("properties")) return;
  for (const auto& [name, item] : value.items()) {
    ASSERT_TRUE(schema["properties"].contains(name)) << where << '.' << name << " is not described";
    expect_fits(document, schema["properties"][name], item, where + '.' + name);
  }
}

TEST_F(ServeApi, DoesWhatItsDescriptionSays) {
  const json document = json::parse(server_->get("/openapi.json").body);
  std::map<std::string, std::string> replacements = {{"{name}", "nothing"}};
  const auto expect_described = [&](const std::string& path, const std::string& method,
                                    const HttpReply& reply) {
    const json& responses = document.at("paths").at(path).at(method).at("responses");
    ASSERT_TRUE(responses.contains(std::to_string(reply.status))) << path << ' ' << reply.status;
    const json& response = resolved(document, responses[std::to_string(reply.status)]);
    const json content = response.value("content", json::object());
    if (!content.contains("application/json") || !content["application/json"].contains("schema"))
      return;
    expect_fits(document, content["application/json"]["schema"], json::parse(reply.body), path);
  };
  for (const auto& [path, item] : document.at("paths").items()) {
    if (!item.contains("get")) continue;
    std::string target = path;
    if (const size_t at = target.find("{name}"); at != std::string::npos)
      target.replace(at, 6, "nothing");
    expect_described(path, "get", server_->get(target));
    EXPECT_EQ(server_->ask("DELETE " + target + " HTTP/1.1\r\nHost: localhost\r\n\r\n").status, 405)
        << path;
  }
  const std::string predict = "/api/v1/predict";
  expect_described(predict, "post", server_->predict(server_->png(), "?gradcam=1"));
  expect_described(predict, "post", server_->predict(server_->png(), "?topk=0"));
  expect_described(predict, "post", server_->predict("no image"));
  expect_described(predict, "post", server_->predict(""));
  expect_described(predict, "post", server_->predict(std::string(600 << 10, 'x')));
}

TEST(ServeCommand, SaysWhatToDo) {
  const ServedProcess probe("--port 1x");
  EXPECT_NE(probe.log().find("--port"), std::string::npos) << probe.log();
  const ServedProcess host("--host 203.0.113.7");
  if (host.absent()) GTEST_SKIP() << "burin was built without libmicrohttpd";
  EXPECT_NE(host.log().find("\n  hint: --host takes an address of this machine"), std::string::npos)
      << host.log();
  const ServedProcess size("--max-upload lots");
  EXPECT_NE(size.log().find("a size such as 10M"), std::string::npos) << size.log();
}

}  // namespace
}  // namespace burin
