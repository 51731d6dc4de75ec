#include "host/http_answer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace whittle::host {
namespace {

using testing::HasSubstr;

HttpAnswer answer(std::string_view text, std::string_view method = "GET") {
  HttpAnswer whole(method);
  whole.add(text);
  HttpAnswer bytes(method);
  for (std::size_t i = 0; i < text.size(); ++i) bytes.add(text.substr(i, 1));
  EXPECT_EQ(whole.complete(), bytes.complete()) << text;
  EXPECT_EQ(whole.body(), bytes.body()) << text;
  EXPECT_EQ(whole.problem(), bytes.problem()) << text;
  return whole;
}

TEST(HttpAnswer, OfAKnownLength) {
  const HttpAnswer a = answer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
  EXPECT_TRUE(a.complete());
  EXPECT_EQ(a.status(), 200);
  EXPECT_EQ(a.body(), "hello");
  EXPECT_TRUE(a.keeps_alive());
  EXPECT_TRUE(answer("HTTP/1.1 200 OK\ncontent-length:0\n\n").complete());
  EXPECT_FALSE(answer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell").complete());
  EXPECT_EQ(answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhello").body(), "he");
}

TEST(HttpAnswer, InChunks) {
  const HttpAnswer a = answer(
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"
      "5;name=value\r\nhello\r\nA\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n");
  EXPECT_TRUE(a.complete()) << a.problem();
  EXPECT_EQ(a.body(), "hello0123456789");
}

TEST(HttpAnswer, ToTheEndOfTheConnection) {
  HttpAnswer a = answer("HTTP/1.0 200 OK\r\n\r\nall of it");
  EXPECT_FALSE(a.complete());
  a.end();
  EXPECT_TRUE(a.complete());
  EXPECT_EQ(a.body(), "all of it");
  EXPECT_FALSE(a.keeps_alive());
}

TEST(HttpAnswer, WithoutABody) {
  EXPECT_TRUE(answer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "HEAD").complete());
  EXPECT_TRUE(answer("HTTP/1.1 204 No Content\r\n\r\n").complete());
  EXPECT_TRUE(answer("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n").complete());
}

TEST(HttpAnswer, AnInterimOneComesFirst) {
  const HttpAnswer a = answer(
      "HTTP/1.1 100 Continue\r\nContent-Length: 3\r\n\r\n"
      "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno");
  EXPECT_TRUE(a.complete());
  EXPECT_EQ(a.status(), 404);
  EXPECT_EQ(a.body(), "no");
}

TEST(HttpAnswer, WhetherTheConnectionGoesOn) {
  const auto alive = [](const char* head) {
    return answer(std::string(head) + "Content-Length: 0\r\n\r\n").keeps_alive();
  };
  EXPECT_TRUE(alive("HTTP/1.1 200 OK\r\n"));
  EXPECT_FALSE(alive("HTTP/1.1 200 OK\r\nConnection: Close\r\n"));
  EXPECT_FALSE(alive("HTTP/1.0 200 OK\r\n"));
  EXPECT_TRUE(alive("HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n"));
}

TEST(HttpAnswer, WhatIsNoneIsBroken) {
  for (const char* text :
       {"-ERR unknown command\r\n", "HTTP/2 200\r\n", "HTTP/1.1 20\r\n", "HTTP/1.1 099 X\r\n",
        "HTTP/1.1 2000\r\n", "\r\n", "HTTP/1.1 200 OK\r\nno field\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n",
        "HTTP/1.1 101 Switching Protocols\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n11111111111111111\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n"}) {
    const HttpAnswer a = answer(text);
    EXPECT_TRUE(a.broken()) << text;
    EXPECT_FALSE(a.problem().empty()) << text;
  }
}

TEST(HttpAnswer, ItBreaksOff) {
  HttpAnswer nothing("GET");
  nothing.end();
  EXPECT_TRUE(nothing.broken());
  EXPECT_FALSE(nothing.started());
  HttpAnswer half = answer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe");
  half.end();
  EXPECT_TRUE(half.broken());
  EXPECT_THAT(half.problem(), HasSubstr("broke off"));
}

TEST(HttpAnswer, IsBounded) {
  HttpAnswer line("GET");
  line.add("HTTP/1.1 200 OK\r\n");
  line.add(std::string(20U << 10U, 'a'));
  EXPECT_THAT(line.problem(), HasSubstr("too long"));
  HttpAnswer head("GET");
  head.add("HTTP/1.1 200 OK\r\n");
  for (int i = 0; i < 100 && !head.broken(); ++i) head.add("A: " + std::string(1000, 'b') + "\r\n");
  EXPECT_THAT(head.problem(), HasSubstr("head is too long"));
  HttpAnswer body("GET");
  body.add("HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n");
  for (int i = 0; i < 30; ++i) body.add(std::string(100'000, 'c'));
  EXPECT_TRUE(body.complete());
  EXPECT_EQ(body.body().size(), 1U << 20U);
}

}  // namespace
}  // namespace whittle::host
