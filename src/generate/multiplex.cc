#include "generate/multiplex.h"

#include <linux/net.h>

#include <algorithm>
#include <array>
#include <utility>

namespace whittle::generate {

namespace {

constexpr std::string_view kSocketcall = "socketcall";
constexpr std::string_view kIpc = "ipc";

constexpr std::array<std::pair<std::string_view, Multiplexed>, 32> kCalls = {{
    {"socket", {kSocketcall, SYS_SOCKET}},
    {"bind", {kSocketcall, SYS_BIND}},
    {"connect", {kSocketcall, SYS_CONNECT}},
    {"listen", {kSocketcall, SYS_LISTEN}},
    {"accept", {kSocketcall, SYS_ACCEPT}},
    {"getsockname", {kSocketcall, SYS_GETSOCKNAME}},
    {"getpeername", {kSocketcall, SYS_GETPEERNAME}},
    {"socketpair", {kSocketcall, SYS_SOCKETPAIR}},
    {"send", {kSocketcall, SYS_SEND}},
    {"recv", {kSocketcall, SYS_RECV}},
    {"sendto", {kSocketcall, SYS_SENDTO}},
    {"recvfrom", {kSocketcall, SYS_RECVFROM}},
    {"shutdown", {kSocketcall, SYS_SHUTDOWN}},
    {"setsockopt", {kSocketcall, SYS_SETSOCKOPT}},
    {"getsockopt", {kSocketcall, SYS_GETSOCKOPT}},
    {"sendmsg", {kSocketcall, SYS_SENDMSG}},
    {"recvmsg", {kSocketcall, SYS_RECVMSG}},
    {"accept4", {kSocketcall, SYS_ACCEPT4}},
    {"recvmmsg", {kSocketcall, SYS_RECVMMSG}},
    {"sendmmsg", {kSocketcall, SYS_SENDMMSG}},
    {"semop", {kIpc, 1}},
    {"semget", {kIpc, 2}},
    {"semctl", {kIpc, 3}},
    {"semtimedop", {kIpc, 4}},
    {"msgsnd", {kIpc, 11}},
    {"msgrcv", {kIpc, 12}},
    {"msgget", {kIpc, 13}},
    {"msgctl", {kIpc, 14}},
    {"shmat", {kIpc, 21}},
    {"shmdt", {kIpc, 22}},
    {"shmget", {kIpc, 23}},
    {"shmctl", {kIpc, 24}},
}};

}  // namespace

std::optional<Multiplexed> multiplexed(std::string_view name) {
  const auto found = std::find_if(kCalls.begin(), kCalls.end(),
                                  [name](const auto& call) { return call.first == name; });
  if (found == kCalls.end()) return std::nullopt;
  return found->second;
}

bool is_multiplexer(std::string_view name) { return name == kSocketcall || name == kIpc; }

}  // namespace whittle::generate
