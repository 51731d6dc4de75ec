#include "cli/container_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.h"

namespace whittle::cli {
namespace {

using testing::HasSubstr;

std::string hint(const std::string& command) {
  const auto error = container_client(split(command, ' '));
  return error ? error->hint : "";
}

std::string answer(const std::string& container, const std::string& then) {
  return "in one terminal: whittle record --container " + container + "; then in another: " + then;
}

TEST(ContainerClient, TakesTheNameThatTheCommandGives) {
  for (const std::string command :
       {"docker run -d --name web -p 80:80 nginx", "/usr/bin/podman run --name=web nginx",
        "docker --host tcp://h:1 container create --name web nginx", "docker start web",
        "nerdctl restart --time 3 web", "sudo -n docker run --name web nginx",
        "ctr -n k8s.io run --rm --env A=b docker.io/library/nginx:latest web nginx -g x",
        "runc --root /r run --bundle /b --pid-file p web", "crun create -b /b web",
        "ctr task start web"}) {
    EXPECT_EQ(hint(command), answer("web --wait", command)) << command;
  }
}

TEST(ContainerClient, GivesANameWhereThereIsNone) {
  EXPECT_EQ(hint("docker run --rm nginx"),
            answer("recorded --wait", "docker run --name recorded --rm nginx"));
  EXPECT_EQ(hint("crictl run c.json p.json"),
            answer("CONTAINER --wait", "crictl run c.json p.json"));
  EXPECT_EQ(hint("docker compose up db"), answer("CONTAINER --wait", "docker compose up db"));
}

TEST(ContainerClient, AnExecIsPartOfAContainerThatRuns) {
  EXPECT_EQ(hint("docker exec -it -u root web sh"),
            answer("web", "docker exec -it -u root web sh"));
  EXPECT_EQ(hint("ctr t exec --exec-id e1 web sh"),
            answer("web", "ctr t exec --exec-id e1 web sh"));
}

TEST(ContainerClient, SaysWhatTheMatterIs) {
  const auto error = container_client({"docker", "run", "nginx"});
  ASSERT_TRUE(error);
  EXPECT_EQ(error->kind, ErrorKind::kInput);
  EXPECT_THAT(error->message, HasSubstr("docker run starts its processes elsewhere"));
}

TEST(ContainerClient, QuotesForAShell) {
  const auto error =
      container_client({"docker", "run", "--name", "a", "x", "sh", "-c", "it's; ls"});
  ASSERT_TRUE(error);
  EXPECT_THAT(error->hint, HasSubstr(R"(sh -c 'it'\''s; ls')"));
}

TEST(ContainerClient, LeavesOtherCommandsAlone) {
  for (const std::string command : {"nginx -g x", "docker ps", "docker", "sudo", "sudo -u x nginx",
                                    "dockerd run", "./my-docker run", "runc list", "run docker"}) {
    EXPECT_EQ(hint(command), "") << command;
  }
  EXPECT_FALSE(container_client({}));
}

}  // namespace
}  // namespace whittle::cli
