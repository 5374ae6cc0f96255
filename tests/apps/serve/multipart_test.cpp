#include "burin/apps/serve/multipart.h"

#include <gtest/gtest.h>

#include "support/expect_error.h"

namespace burin::apps {
namespace {

constexpr const char* type = "multipart/form-data; boundary=XyZ";

std::string part(const std::string& headers, const std::string& content) {
  return "--XyZ\r\n" + headers + "\r\n\r\n" + content + "\r\n";
}
const std::string image = "Content-Disposition: form-data; name=\"image\"; filename=\"a.jpg\"";

TEST(Multipart, ReadsPartsInTheirOrder) {
  const std::string body = part(image + "\r\nContent-Type: image/jpeg", "one\r\n--Xy two") +
                           part("content-disposition: form-data; name=note", "") + "--XyZ--\r\n";
  const std::vector<FormPart> parts = parse_multipart(type, body);
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_EQ(parts[0].name, "image");
  EXPECT_EQ(parts[0].filename, "a.jpg");
  EXPECT_EQ(parts[0].type, "image/jpeg");
  EXPECT_EQ(parts[0].content, "one\r\n--Xy two") << "only the whole boundary ends a part";
  EXPECT_EQ(parts[1].name, "note");
  EXPECT_EQ(parts[1].content, "");
}

TEST(Multipart, ReadsWhatClientsSend) {
  EXPECT_EQ(
      parse_multipart("Multipart/Form-Data; charset=utf-8; boundary=\"a b\"", "--a b--").size(), 0u)
      << "a boundary in quotes, and nothing in the form";
  const std::string quoted =
      R"(Content-Disposition: form-data; name="image"; filename="C:\tmp\a \"b\".jpg")";
  EXPECT_EQ(parse_multipart(type, part(quoted, "x") + "--XyZ--")[0].filename,
            R"(C:\tmp\a "b".jpg)");
  const std::string zeros(1000, '\0');
  EXPECT_EQ(parse_multipart(type, part(image, zeros) + "--XyZ--")[0].content, zeros);
}

TEST(Multipart, RefusesInWords) {
  const auto expect = [](const std::string& body, const char* why) {
    expect_error([&] { parse_multipart(type, body); }, why);
  };
  expect("", "does not begin with its boundary");
  expect("preamble\r\n--XyZ--", "does not begin with its boundary");
  expect("--XyZ", "not followed by a line end");
  expect("--XyZ\n", "not followed by a line end");
  expect("--XyZ\r\n" + image + "\r\n\r\nno end", "has no end");
  expect(part(image, "x") + "--XyZ", "not followed by a line end");
  expect(part(image, "x") + "--XyZ--epilogue", "something follows");
  expect(part("X: y", "x") + "--XyZ--", "no Content-Disposition");
  expect(part("no colon", "x") + "--XyZ--", "not name: value");
  expect(part(image + "\r\n folded: yes", "x") + "--XyZ--", "not name: value");
  expect(part(image + "\r\n" + image, "x") + "--XyZ--", "two Content-Dispositions");
  expect(part("Content-Disposition: attachment; name=image", "x") + "--XyZ--", "not form-data");
  expect(part("Content-Disposition: form-data; name=a; NAME=b", "x") + "--XyZ--", "is there twice");
  expect(part("Content-Disposition: form-data; name=\"a", "x") + "--XyZ--", "has no end");
  expect(part("Content-Disposition: form-data; filename=a", "x") + "--XyZ--", "has no name");
  expect(part(image + "\r\nContent-Type: multipart/mixed", "x") + "--XyZ--", "do not nest");
  expect(part(image + "\r\nContent-Transfer-Encoding: base64", "x") + "--XyZ--", "is not read");
  expect(part(image + "\r\nX: " + std::string(1, '\0'), "x") + "--XyZ--", "control characters");
  expect(part(image + "\r\nX: " + std::string(5000, 'y'), "x") + "--XyZ--", "4096 bytes");

  std::string headers = image;
  for (int i = 0; i < 8; ++i) headers += "\r\nX: y";
  expect(part(headers, "x") + "--XyZ--", "more than 8 headers");
  std::string many;
  for (int i = 0; i < 65; ++i) many += part(image, "x");
  expect(many + "--XyZ--", "more than 64 parts");
}

TEST(Multipart, RefusesBoundariesThatAreNone) {
  const auto expect = [](const std::string& content_type, const char* why) {
    expect_error([&] { parse_multipart(content_type, "--XyZ--"); }, why);
  };
  expect("text/plain", "not multipart/form-data");
  expect("multipart/form-dataX; boundary=XyZ", "not multipart/form-data");
  expect("multipart/form-data", "names no boundary");
  expect("multipart/form-data; boundary=", "names no boundary");
  expect("multipart/form-data; boundary=\"\"", "names no boundary");
  expect("multipart/form-data; boundary=\"a \"", "characters it may not have");
  expect("multipart/form-data; boundary=\"a\r\nb\"", "characters it may not have");
  expect("multipart/form-data; boundary=" + std::string(71, 'x'), "more than 70");
}

// A parser that starts again after each near miss would take minutes for these.
TEST(Multipart, TakesTimeInProportionToTheBody) {
  for (const std::string& nearly :
       {std::string("\r"), std::string("\r\n--"), std::string("\r\n--Xy")}) {
    std::string content;
    while (content.size() < 8u << 20) content += nearly;
    const std::string body = part(image, content) + "--XyZ--";
    EXPECT_EQ(parse_multipart(type, body)[0].content.size(), content.size());
  }
}

}  // namespace
}  // namespace burin::apps
