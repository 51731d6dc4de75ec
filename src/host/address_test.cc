#include "host/address.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

namespace whittle::host {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

std::string wrong(std::string_view text, bool port_alone = true) {
  Address address;
  return parse_address(text, port_alone, address);
}

Address good(std::string_view text, bool port_alone = true, std::uint16_t port = 0) {
  Address address;
  address.port = port;
  EXPECT_EQ(parse_address(text, port_alone, address), "") << text;
  return address;
}

TEST(Address, ThoseThatAreTaken) {
  EXPECT_EQ(good("8080"), (Address{"localhost", 8080}));
  EXPECT_EQ(good("127.0.0.1:1"), (Address{"127.0.0.1", 1}));
  EXPECT_EQ(good("[::1]:65535"), (Address{"::1", 65535}));
  EXPECT_EQ(good("localhost:80"), (Address{"localhost", 80}));
  EXPECT_EQ(good("10.0.0.1", false, 80), (Address{"10.0.0.1", 80}));
  EXPECT_EQ(good("[fe80::1]", false, 80), (Address{"fe80::1", 80}));
}

TEST(Address, WhatIsWrongIsSaid) {
  EXPECT_THAT(wrong(""), HasSubstr("not a port"));
  EXPECT_THAT(wrong("0"), HasSubstr("not a port"));
  EXPECT_THAT(wrong("65536"), HasSubstr("not a port"));
  EXPECT_THAT(wrong("18446744073709551617"), HasSubstr("not a port"));
  EXPECT_THAT(wrong("-1"), HasSubstr("not a port"));
  EXPECT_THAT(wrong("127.0.0.1:"), HasSubstr("nothing is not a port"));
  EXPECT_THAT(wrong(":80"), HasSubstr("nothing is not a numeric address"));
  EXPECT_THAT(wrong("example.org:80"), HasSubstr("not a numeric address or localhost"));
  EXPECT_THAT(wrong("::1:80"), IsEmpty());  // without brackets the last colon divides
  EXPECT_THAT(wrong("256.0.0.1:80"), HasSubstr("not a numeric address"));
  EXPECT_THAT(wrong("[::1"), HasSubstr("no closing bracket"));
  EXPECT_THAT(wrong("[::1]80"), HasSubstr("a colon after the bracket"));
  EXPECT_THAT(wrong("[::1]"), HasSubstr("the port is missing"));
  EXPECT_THAT(wrong("127.0.0.1", false), HasSubstr("the port is missing"));
}

TEST(Address, LocalhostIsBoth) {
  const auto both = socket_addresses({"localhost", 80});
  ASSERT_THAT(both, SizeIs(2));
  EXPECT_EQ(both[0].storage.ss_family, AF_INET);
  EXPECT_EQ(both[0].length, sizeof(sockaddr_in));
  EXPECT_EQ(reinterpret_cast<const sockaddr_in&>(both[0].storage).sin_port, htons(80));
  EXPECT_EQ(both[1].storage.ss_family, AF_INET6);
  EXPECT_EQ(both[1].length, sizeof(sockaddr_in6));
  EXPECT_THAT(socket_addresses({"::1", 1}), SizeIs(1));
  EXPECT_THAT(socket_addresses({"example.org", 1}), IsEmpty());
}

TEST(Address, Text) {
  EXPECT_EQ(address_text({"127.0.0.1", 80}), "127.0.0.1:80");
  EXPECT_EQ(address_text({"::1", 80}), "[::1]:80");
}

TEST(HttpUrl, ThoseThatAreTaken) {
  HttpUrl url;
  EXPECT_EQ(parse_http_url("http://127.0.0.1", url), "");
  EXPECT_EQ(url.address, (Address{"127.0.0.1", 80}));
  EXPECT_EQ(url.path, "/");
  EXPECT_EQ(parse_http_url("http://[::1]:8080/a/b?c=d/e", url), "");
  EXPECT_EQ(url.address, (Address{"::1", 8080}));
  EXPECT_EQ(url.path, "/a/b?c=d/e");
  EXPECT_EQ(parse_http_url("http://localhost?a", url), "");
  EXPECT_EQ(url.path, "/?a");
}

TEST(HttpUrl, WhatIsWrongIsSaid) {
  HttpUrl url;
  EXPECT_THAT(parse_http_url("https://127.0.0.1/", url), HasSubstr("no TLS"));
  EXPECT_THAT(parse_http_url("127.0.0.1/", url), HasSubstr("http://"));
  EXPECT_THAT(parse_http_url("http://", url), HasSubstr("numeric address"));
  EXPECT_THAT(parse_http_url("http://a@127.0.0.1/", url), HasSubstr("user"));
  for (const char* path : {"/a b", "/a#b", "/a\r\nX: y", "/\x7f", "/\xc3\xa4"}) {
    EXPECT_THAT(parse_http_url(std::string("http://127.0.0.1") + path, url), HasSubstr("%XX"));
  }
}

}  // namespace
}  // namespace whittle::host
