#include "host/workload.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "base/file_system.h"
#include "base/text.h"

namespace whittle::host {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

constexpr const char* kHeader = "apiVersion: whittle/v1\nkind: Workload\nname: web\n";

Result<Workload> parse(const std::string& text) {
  return parse_workload(kHeader + text, "/srv/web/workload.yaml");
}

Workload good(const std::string& text) {
  auto workload = parse(text);
  EXPECT_TRUE(workload) << workload.error().text();
  return workload ? *workload : Workload();
}

std::string error(const std::string& text) {
  const auto workload = parse(text);
  EXPECT_FALSE(workload) << text;
  return workload ? "" : workload.error().text() + " " + workload.error().hint;
}

TEST(Workload, TheLeastThatIsAWorkload) {
  const Workload w = good("run:\n  command: [nginx, -g, daemon off;]\n");
  EXPECT_EQ(w.name, "web");
  EXPECT_THAT(w.run.command, ElementsAre("nginx", "-g", "daemon off;"));
  EXPECT_EQ(w.run.runtime, "");
  EXPECT_TRUE(w.run.no_new_privileges);
  EXPECT_EQ(w.ready, "");
  EXPECT_THAT(w.exercises, IsEmpty());
  EXPECT_EQ(w.stop_signal, SIGTERM);
  EXPECT_EQ(w.profile, "/srv/web/web.profile.json");
  EXPECT_EQ(w.evidence, "/srv/web/web.evidence.json");
}

TEST(Workload, EverythingThatCanBeSaid) {
  const Workload w = good(R"(
run:
  command: exec ./server --port 8080
  user: "33:44"
  env: {MODE: production, PORT: "8080"}
  directory: data
ready: {http: "http://127.0.0.1:8080/", limit: 20s}
exercises:
  - name: get
    http: {url: "http://127.0.0.1:8080/a", method: POST, body: x, headers: {A: b}, status: 201,
           contains: ok, keepAlive: true}
    repeat: 100
    concurrency: 4
    limit: 5s
  - name: load
    tcp: {address: "127.0.0.1:6379", send: "PING\r\n", expect: PONG}
    rate: 50
    for: 10s
    background: true
  - name: reload
    signal: HUP
    holds:
      - http: http://127.0.0.1:8080/
      - command: test -s /run/pid
  - {name: quiet, wait: 500ms}
stop: {signal: QUIT, limit: 3s}
profile: out/p.json
evidence: /var/e.json
policy: {base: docker, architectures: [x86_64], arguments: all, headroom: none, defaultAction: kill,
         allow: [io_uring_setup], deny: [mount]}
)");
  EXPECT_THAT(w.run.command, ElementsAre("sh", "-c", "exec ./server --port 8080"));
  EXPECT_EQ(w.run.uid, 33U);
  EXPECT_EQ(w.run.gid, 44U);
  EXPECT_THAT(w.run.environment, ElementsAre(Pair("MODE", "production"), Pair("PORT", "8080")));
  EXPECT_EQ(w.run.directory, "/srv/web/data");
  EXPECT_EQ(w.ready, "http://127.0.0.1:8080/");
  EXPECT_EQ(w.ready_limit, 20);
  ASSERT_EQ(w.exercises.size(), 4U);
  const Exercise& get = w.exercises[0];
  EXPECT_EQ(get.check.kind, WorkloadCheck::Kind::kHttp);
  EXPECT_EQ(get.check.method + get.check.body + get.check.contains, "POSTxok");
  EXPECT_EQ(get.check.status, 201U);
  EXPECT_TRUE(get.check.keep_alive);
  EXPECT_EQ(get.repeat, 100U);
  EXPECT_EQ(get.concurrency, 4U);
  EXPECT_EQ(get.limit, 5);
  const Exercise& load = w.exercises[1];
  EXPECT_EQ(load.check.send, "PING\r\n");
  EXPECT_EQ(load.rate, 50);
  EXPECT_EQ(load.length, 10);
  EXPECT_TRUE(load.background);
  EXPECT_EQ(w.exercises[2].signal, SIGHUP);
  ASSERT_EQ(w.exercises[2].holds.size(), 2U);
  EXPECT_THAT(w.exercises[2].holds[1].command, ElementsAre("sh", "-c", "test -s /run/pid"));
  EXPECT_EQ(w.exercises[3].wait, 0.5);
  EXPECT_EQ(w.stop_signal, SIGQUIT);
  EXPECT_EQ(w.stop_limit, 3);
  EXPECT_EQ(w.profile, "/srv/web/out/p.json");
  EXPECT_EQ(w.evidence, "/var/e.json");
  EXPECT_EQ(w.policy.base, "docker");
  EXPECT_THAT(w.policy.deny, ElementsAre("mount"));
}

TEST(Workload, InAContainer) {
  const Workload w =
      good("run: {rootfs: root, runtime: crun, command: [/bin/s], directory: /srv}\n");
  EXPECT_EQ(w.run.rootfs, "/srv/web/root");
  EXPECT_EQ(w.run.directory, "/srv");
  EXPECT_EQ(good("run: {bundle: ., runtime: runc}\n").run.bundle, "/srv/web/");
}

TEST(Workload, ReadyInEachWay) {
  const auto ready = [](const std::string& how) {
    return good("run: {command: [a]}\nready: {" + how + "}\n").ready;
  };
  EXPECT_EQ(ready("tcp: 6379"), "tcp:6379");
  EXPECT_EQ(ready("tcp: \"127.0.0.1:6379\""), "tcp:127.0.0.1:6379");
  EXPECT_EQ(ready("log: ready to accept"), "log:ready to accept");
  EXPECT_EQ(ready("command: pg_isready"), "exec:pg_isready");
}

TEST(Workload, MistakesAreNamedWithTheirPlace) {
  const std::string run = "run: {command: [a]}\n";
  EXPECT_THAT(error("runs: {}\nrun: {command: [a]}\n"), HasSubstr("did you mean \"run\"?"));
  EXPECT_THAT(error("run: {comand: [a]}\n"), HasSubstr("did you mean \"command\"?"));
  EXPECT_THAT(error("run: {}\n"), HasSubstr("nothing is said of what to run"));
  EXPECT_THAT(error("run: {command: [a], user: www-data}\n"), HasSubstr("UID or UID:GID"));
  EXPECT_THAT(error("run: {command: [a], rootfs: r}\n"), HasSubstr("needs a runtime"));
  EXPECT_THAT(error("run: {command: [a], runtime: docker}\n"), HasSubstr("runc, crun or none"));
  EXPECT_THAT(error(run + "exercises:\n  - {name: stop, wait: 1}\n"),
              HasSubstr("/srv/web/workload.yaml:6 /exercises/0/name"));
  EXPECT_THAT(error(run + "exercises:\n  - {name: a}\n"), HasSubstr("says what the exercise does"));
  EXPECT_THAT(error(run + "exercises:\n  - {name: a, wait: 1, signal: HUP}\n"),
              HasSubstr("says what the exercise does"));
  EXPECT_THAT(error(run + "exercises:\n  - {name: a, signal: HUB}\n"), HasSubstr("no signal"));
  EXPECT_THAT(error(run + "exercises:\n  - {name: a, wait: soon}\n"), HasSubstr("500ms"));
  EXPECT_THAT(error(run + "exercises:\n  - {name: a, wait: 1}\n  - {name: a, wait: 1}\n"),
              HasSubstr("a second exercise"));
  EXPECT_THAT(error(run + "exercises:\n  - {name: a, http: \"https://x/\"}\n"), HasSubstr("TLS"));
  EXPECT_THAT(error(run + "exercises:\n  - {name: a, repeat: 0, wait: 1}\n"),
              HasSubstr("1 or more"));
  EXPECT_THAT(error(run + "ready: {tcp: 1, log: x}\n"), HasSubstr("one way to be ready"));
  EXPECT_THAT(error(run + "kind: Other\n"), HasSubstr("kind"));
  EXPECT_THAT(error("run: [\n"), HasSubstr("workload.yaml"));
}

TEST(Workload, FoundInItsDirectory) {
  auto directory = TemporaryDirectory::create("workload");
  ASSERT_TRUE(directory);
  const auto missing = read_workload(directory->path());
  ASSERT_FALSE(missing);
  EXPECT_THAT(missing.error().hint, HasSubstr("whittle init"));
  ASSERT_TRUE(write_file(directory->path() + "/workload.yaml",
                         std::string(kHeader) + "run: {command: [a]}\n"));
  const auto found = read_workload(directory->path());
  ASSERT_TRUE(found) << found.error().text();
  EXPECT_EQ(found->directory, directory->path());
  EXPECT_EQ(read_workload(directory->path() + "/workload.yaml")->name, "web");
}

}  // namespace
}  // namespace whittle::host
