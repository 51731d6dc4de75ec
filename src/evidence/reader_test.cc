#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.h"
#include "evidence/evidence.h"

namespace whittle::evidence {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

constexpr const char* kCall = R"({"arch":"x86_64","name":"read","nr":0,"count":1})";

std::string file_of(const std::string& calls, const std::string& more = {}) {
  return R"({"schema":"whittle.evidence/v1","workload":"w","runs":[{"id":"0123456789abcdef",)"
         R"("source":"ebpf","arch":"x86_64","kernel":"6.18","complete":true,"lost":{"events":0},)"
         R"("timing":"native",)" +
         more + R"("exit":0,"syscalls":[)" + calls + "]}]}";
}

Evidence good(const std::string& text) {
  Result<Evidence> evidence = read(text, "e.json");
  EXPECT_TRUE(evidence) << evidence.error().text();
  return evidence ? *evidence : Evidence();
}

std::string error(const std::string& text) {
  const Result<Evidence> evidence = read(text, "e.json");
  EXPECT_FALSE(evidence) << text;
  return evidence ? "" : evidence.error().text();
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(Read, TheShapeOfTheFormat) {
  const Evidence e = good(file_of(
      R"({"arch":"x86_64","name":"socket","nr":41,"count":9,"refused":2,"first":0.25,"last":1,
          "phases":["ready","startup","ready"],"errnos":{"EAFNOSUPPORT":2},"args":[],"new":[],
          "tuples":[{"indexes":[0,1,2],"closed":true,"values":[[16,3,0],[2,1,6]],
                     "hex":[["0x10","0x3","0x0"],["0x2","0x1","0x6"]]}]},
         {"arch":"x86_64","name":"clone","nr":56,"count":1,
          "args":[{"index":0,"kind":"flags","closed":false,"values":[17,18874385]}]})",
      R"("under":"fallbacks","command":["nginx","-g","a\nb"],"started":"2026-01-01T00:00:00Z",
         "duration":1.23456,"notes":["n"],"unknown":{"a":[1]},)"));
  ASSERT_EQ(e.runs.size(), 1U);
  const auto& run = e.runs[0];
  EXPECT_EQ(run.under, "fallbacks");
  EXPECT_EQ(run.duration, 1.235);
  EXPECT_EQ(run.exit, 0);
  EXPECT_THAT(run.command, ElementsAre("nginx", "-g", "a\nb"));
  ASSERT_EQ(run.syscalls.size(), 2U);
  const Observation& socket = run.syscalls[0];
  EXPECT_EQ(socket.refused, 2U);
  EXPECT_EQ(socket.needed(), 7U);
  EXPECT_THAT(socket.phases, ElementsAre("startup", "ready"));
  EXPECT_THAT(socket.tuples.at(0).values, ElementsAre(ElementsAre(2, 1, 6), ElementsAre(16, 3, 0)));
  EXPECT_FALSE(run.syscalls[1].args.at(0).closed);
}

TEST(Read, RefusalsStacksAndContainers) {
  const Evidence e = good(file_of(
      R"({"arch":"x86_64","name":"socket","nr":41,"count":9,"refused":3,
          "refusals":[{"args":[16,3,0,0,0,0],"error":"EPERM","phase":"ready","comm":"a","count":1},
                      {"args":[40,1,0,0,0,0],"error":"killed","phase":"stop","comm":"b","count":2}],
          "refusals_closed":false,
          "stacks":[{"indexes":[0,1,2],"values":[1,2,3],"comm":"a","frames":[]},
                    {"indexes":[],"comm":"a","frames":[
                      {"object":"/lib/libc.so.6","offset":4096,"symbol":"socket"},
                      {"object":"/other","build_id":"ff","offset":1,"symbol":""},
                      {"offset":140737488355328}]}]})",
      R"("container":"c1","image":"i","runtime":"runc 1.1.5","part":"exec",
         "build_ids":{"/lib/libc.so.6":"0a1b"},)"));
  const auto& run = e.runs.at(0);
  EXPECT_EQ(run.container + run.image + run.runtime + run.part, "c1irunc 1.1.5exec");
  const Observation& socket = run.syscalls.at(0);
  ASSERT_EQ(socket.refusals.size(), 2U);
  EXPECT_EQ(socket.refusals[0].error, "killed");  // the most frequent comes first
  EXPECT_EQ(socket.refusals[1].args[1], 3U);
  EXPECT_FALSE(socket.refusals_closed);
  ASSERT_EQ(socket.stacks.size(), 2U);
  EXPECT_THAT(socket.stacks[0].frames,
              ElementsAre(Frame{"/lib/libc.so.6", "0a1b", 4096, "socket"},
                          Frame{"/other", "ff", 1, ""}, Frame{"", "", 140737488355328, ""}));
  EXPECT_THAT(socket.stacks[1].values, ElementsAre(1, 2, 3));
  EXPECT_EQ(good(write(e)).runs, e.runs);
  EXPECT_TRUE(e.syscalls().at(0).stacks.empty());
  EXPECT_TRUE(e.syscalls().at(0).refusals.empty());
}

TEST(Read, TwoObjectsOfOnePathKeepTheirBuildIds) {
  Evidence e = good(file_of(kCall));
  e.runs[0].syscalls[0].stacks = {
      {{}, {}, "a", {{"/x", "aa", 1, ""}, {"/x", "bb", 2, ""}, {"/x", "", 3, ""}}}};
  EXPECT_EQ(good(write(e)).runs, e.runs);
}

TEST(Read, RefusesBadRefusalsAndStacks) {
  const auto with = [](const std::string& more) {
    return error(file_of(R"({"arch":"x86_64","name":"read","nr":0,"count":1,)" + more + "}"));
  };
  EXPECT_THAT(with(R"("refusals":[{"args":[1],"error":"EPERM","count":1}])"),
              HasSubstr("6 numbers are expected here, not 1"));
  EXPECT_THAT(with(R"("refusals":[{"args":[1,2,3,4,5,6],"error":"no","count":1}])"),
              HasSubstr("the name of an errno or \"killed\""));
  EXPECT_THAT(with(R"("stacks":[{"indexes":[0],"values":[],"frames":[]}])"),
              HasSubstr("1 numbers are expected here, not 0"));
  EXPECT_THAT(with(R"("stacks":[{"frames":[{"offset":1,"build_id":"xyz"}]}])"),
              HasSubstr("a build id is hexadecimal"));
  std::string many;
  for (std::size_t i = 0; i <= kMostStacks; ++i) many += (i == 0 ? "" : ",") + std::string("{}");
  EXPECT_THAT(with(R"("stacks":[)" + many + "]"), HasSubstr("more than 256 stacks"));
}

TEST(Read, WritesTheDocumentedForm) {
  Evidence e = good(file_of(R"({"arch":"x86_64","name":"clone","nr":56,"count":1,
      "args":[{"index":0,"kind":"flags","closed":true,"values":[17]}]})"));
  e.runs[0].exit.reset();
  EXPECT_EQ(write(e), R"({
  "schema": "whittle.evidence/v1",
  "workload": "w",
  "runs": [
    {
      "id": "0123456789abcdef",
      "source": "ebpf",
      "arch": "x86_64",
      "kernel": "6.18",
      "started": "",
      "duration": 0.0,
      "complete": true,
      "lost": {
        "events": 0
      },
      "timing": "native",
      "under": "none",
      "command": [],
      "exit": null,
      "notes": [],
      "syscalls": [
        {
          "arch": "x86_64",
          "name": "clone",
          "nr": 56,
          "count": 1,
          "first": 0.0,
          "last": 0.0,
          "phases": [],
          "errnos": {},
          "args": [
            {
              "index": 0,
              "kind": "flags",
              "closed": true,
              "values": [17],
              "hex": ["0x11"]
            }
          ],
          "tuples": []
        }
      ]
    }
  ],
  "syscalls": [
    {
      "arch": "x86_64",
      "name": "clone",
      "nr": 56,
      "count": 1,
      "first": 0.0,
      "last": 0.0,
      "phases": [],
      "errnos": {},
      "args": [
        {
          "index": 0,
          "kind": "flags",
          "closed": true,
          "values": [17],
          "hex": ["0x11"]
        }
      ],
      "tuples": []
    }
  ]
}
)");
}

TEST(Read, TheSummaryIsNotTrusted) {
  const std::string forged = replaced(file_of(kCall), "\"runs\"", R"("syscalls":[{"x":1}],"runs")");
  const auto sums = good(forged).syscalls();
  ASSERT_EQ(sums.size(), 1U);
  EXPECT_EQ(sums[0].name, "read");
}

TEST(Read, ValuesAreCutToTheWidthThatTheKernelLooksAt) {
  const Evidence e = good(file_of(R"({"arch":"x86_64","name":"clone","nr":56,"count":2,
      "args":[{"index":0,"kind":"flags","closed":true,"values":[17,18446744069414584337]}]})"));
  EXPECT_THAT(e.runs[0].syscalls[0].args[0].values, ElementsAre(17));
}

TEST(Read, NumbersAboveTwoToThe53AreExact) {
  const Evidence e = good(file_of(R"({"arch":"x86_64","name":"read","nr":0,"count":1,
      "args":[{"index":1,"kind":"enum","closed":true,"values":[18446744073709551615]}]})"));
  EXPECT_THAT(write(e), HasSubstr("[18446744073709551615]"));
  EXPECT_THAT(write(e), HasSubstr("[\"0xffffffffffffffff\"]"));
}

TEST(Read, NamesThatTheTableLacks) {
  good(file_of(R"({"arch":"x86_64","name":"syscall_9999","nr":9999,"count":1})"));
  good(file_of(R"({"arch":"x86_64","name":"brand_new","nr":9999,"count":1})"));
  const Evidence old =
      good(file_of(R"({"arch":"x86_64","name":"syscall_471","nr":471,"count":1})"));
  EXPECT_EQ(old.runs[0].syscalls[0].name, "rseq_slice_yield");  // the recorder's table was older
}

TEST(Read, NumbersThatContradictNames) {
  EXPECT_THAT(error(file_of(R"({"arch":"x86_64","name":"read","nr":1,"count":1})")),
              testing::AllOf(StartsWith("e.json:1 /runs/0/syscalls/0/nr: "),
                             HasSubstr("read is number 0 on x86_64, not 1")));
  EXPECT_THAT(error(file_of(R"({"arch":"x86_64","name":"brand_new","nr":1,"count":1})")),
              HasSubstr("number 1 on x86_64 is write, not brand_new"));
  EXPECT_THAT(error(file_of(R"({"arch":"aarch64","name":"open","nr":0,"count":1})")),
              HasSubstr("number 0 on aarch64 is io_setup"));
  EXPECT_THAT(error(file_of(R"({"arch":"x86_64","name":"syscall_9998","nr":9999,"count":1})")),
              HasSubstr("says another number"));
  EXPECT_THAT(error(file_of(R"({"arch":"x32","name":"read","nr":0,"count":1})")),
              HasSubstr("not a number of x32"));
  EXPECT_THAT(error(file_of(R"({"arch":"x86_64","name":"read","nr":1073741824,"count":1})")),
              HasSubstr("is a number of x32"));
  good(file_of(R"({"arch":"x32","name":"read","nr":1073741824,"count":1})"));
}

TEST(Read, EntriesThatStandTwice) {
  EXPECT_THAT(error(file_of(std::string(kCall) + "," + kCall)),
              HasSubstr("/runs/0/syscalls/1: read of x86_64 stands twice"));
  const std::string arg = R"({"index":0,"kind":"flags","closed":true,"values":[]})";
  EXPECT_THAT(error(file_of(R"({"arch":"x86_64","name":"clone","nr":56,"count":1,"args":[)" + arg +
                            "," + arg + "]}")),
              HasSubstr("argument 0 stands twice"));
  const std::string tuple = R"({"indexes":[0,1],"closed":true,"values":[]})";
  EXPECT_THAT(error(file_of(R"({"arch":"x86_64","name":"clone","nr":56,"count":1,"tuples":[)" +
                            tuple + "," + tuple + "]}")),
              HasSubstr("stands twice"));
  const std::string run = R"({"id":"0123456789abcdef","source":"x","arch":"x86","complete":true,)"
                          R"("lost":{},"timing":"native","syscalls":[]})";
  EXPECT_THAT(
      error(R"({"schema":"whittle.evidence/v1","workload":"","runs":[)" + run + "," + run + "]}"),
      HasSubstr("/runs/1: the run 0123456789abcdef stands twice"));
}

TEST(Read, ClaimsThatContradictThemselves) {
  EXPECT_THAT(error(replaced(file_of(kCall), "\"events\":0", "\"events\":3")),
              HasSubstr("complete, and that it lost 3 events"));
  EXPECT_THAT(error(file_of(R"({"arch":"x86_64","name":"read","nr":0,"count":1,"refused":2})")),
              HasSubstr("more calls were refused than made"));
  EXPECT_THAT(error(file_of(R"({"arch":"x86_64","name":"clone","nr":56,"count":1,
      "args":[{"index":0,"kind":"flags","closed":true,"values":[17],"hex":["0x12"]}]})")),
              HasSubstr("hold different numbers"));
}

TEST(Read, OtherSchemas) {
  EXPECT_THAT(error("{}"), HasSubstr("not an evidence file"));
  EXPECT_THAT(error("[]"), HasSubstr("an object is expected here, not an array"));
  EXPECT_THAT(error(R"({"schema":"whittle.evidence/v2"})"), HasSubstr("reads whittle.evidence/v1"));
  EXPECT_THAT(error(R"({"defaultAction":"SCMP_ACT_ERRNO"})"), HasSubstr("not an evidence file"));
  EXPECT_THAT(error("nonsense"), HasSubstr("not valid JSON"));
  EXPECT_THAT(error(""), StartsWith("e.json:1: "));
}

// Each pair turns a good file into a bad one.
TEST(Read, WrongTypesAndRanges) {
  const std::string text = file_of(
      R"({"arch":"x86_64","name":"read","nr":0,"count":1,"phases":["p"],"errnos":{"EIO":1},
          "args":[{"index":0,"kind":"enum","closed":true,"values":[1]}],
          "tuples":[{"indexes":[1,2],"closed":true,"values":[[1,2]]}]})");
  good(text);
  const std::pair<const char*, const char*> changes[] = {
      {"\"w\"", "1"},
      {"\"w\"", "\"a\\u0007\""},
      {"0123456789abcdef", "0123456789ABCDEF"},
      {"0123456789abcdef", "0123"},
      {"\"ebpf\"", "\"e b\""},
      {"\"source\"", "\"sauce\""},
      {"\"arch\":\"x86_64\"", "\"arch\":\"s390x\""},
      {"\"complete\":true", "\"complete\":1"},
      {"\"lost\":{\"events\":0}", "\"lost\":[]"},
      {"\"lost\":{\"events\":0}", "\"lost\":{\"Events!\":0}"},
      {"\"native\"", "\"fast\""},
      {"\"exit\":0", "\"exit\":256"},
      {"\"exit\":0", "\"exit\":-1"},
      {"\"exit\":0", "\"exit\":0,\"duration\":-1"},
      {"\"exit\":0", "\"exit\":0,\"notes\":[1]"},
      {"\"exit\":0", "\"exit\":0,\"command\":\"sh\""},
      {"\"nr\":0", "\"nr\":4294967296"},
      {"\"nr\":0", "\"nr\":0.5"},
      {"\"count\":1", "\"count\":-1"},
      {"\"count\":1", "\"count\":18446744073709551616"},
      {"\"name\":\"read\"", "\"name\":\"\""},
      {"\"name\":\"read\"", "\"name\":\"re\\nad\""},
      {"[\"p\"]", "{}"},
      {"\"EIO\"", "\"eio\""},
      {"\"index\":0", "\"index\":6"},
      {"\"enum\"", "\"enumeration\""},
      {"\"values\":[1]", "\"values\":[\"1\"]"},
      {"\"values\":[1]", "\"values\":[1],\"hex\":[\"1\"]"},
      {"[1,2],", "[2,1],"},
      {"[1,2],", "[1],"},
      {"[1,2],", "[1,6],"},
      {"[[1,2]]", "[[1,2,3]]"},
      {"[[1,2]]", "[1,2]"},
  };
  for (const auto& [from, to] : changes) {
    EXPECT_THAT(error(replaced(text, from, to)), StartsWith("e.json:")) << from << " -> " << to;
  }
}

TEST(Read, IsBounded) {
  EXPECT_THAT(error(std::string(100, '[')), HasSubstr("nested deeper than 16 levels"));
  EXPECT_THAT(error(std::string((64U << 20U) + 1, ' ')), HasSubstr("larger than 64 MiB"));
}

}  // namespace
}  // namespace whittle::evidence
