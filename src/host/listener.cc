#include "host/listener.h"

#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "syscalls/arch.h"

namespace whittle::host {

namespace {

// Where the low half of an argument is in seccomp_data; the high half stands behind it. Both
// machines that we run on are little-endian.
constexpr std::uint32_t argument_offset(unsigned index) {
  return static_cast<std::uint32_t>(offsetof(seccomp_data, args)) + 8 * index;
}

constexpr unsigned kFirstWord = 3;  // sendmsg has three arguments of its own

}  // namespace

HandoverWords random_handover_words() {
  HandoverWords words{};
  if (::getrandom(words.data(), sizeof words, 0) != static_cast<ssize_t>(sizeof words)) {
    std::abort();
  }
  return words;
}

filter::Program with_handover(const filter::Program& program, const HandoverWords& words) {
  // What is compared: (offset in seccomp_data, value).
  const std::array<std::pair<std::uint32_t, std::uint32_t>, 6> wanted = {{
      {offsetof(seccomp_data, nr), SYS_sendmsg},
      {offsetof(seccomp_data, arch), syscalls::audit_arch(syscalls::host_arch())},
      {argument_offset(kFirstWord), static_cast<std::uint32_t>(words[0])},
      {argument_offset(kFirstWord) + 4, static_cast<std::uint32_t>(words[0] >> 32U)},
      {argument_offset(kFirstWord + 1), static_cast<std::uint32_t>(words[1])},
      {argument_offset(kFirstWord + 1) + 4, static_cast<std::uint32_t>(words[1] >> 32U)},
  }};
  filter::Program out;
  out.reserve(program.size() + 2 * wanted.size() + 2);
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    // When it differs: over the rest of the comparisons and the return, to the program.
    const auto over = static_cast<std::uint8_t>(2 * (wanted.size() - 1 - i) + 1);
    out.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, wanted[i].first));
    out.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, wanted[i].second, 0, over));
  }
  out.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  // The kernel starts a program with 0 in the accumulator.
  out.push_back(BPF_STMT(BPF_LD | BPF_IMM, 0));
  out.insert(out.end(), program.begin(), program.end());
  return out;
}

bool hand_over(int channel, int listener, bool wait_killable, const HandoverWords& words) {
  char byte = wait_killable ? 1 : 0;
  iovec piece = {&byte, 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message = {};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof listener);
  std::memcpy(CMSG_DATA(header), &listener, sizeof listener);
  return ::syscall(SYS_sendmsg, channel, &message, MSG_NOSIGNAL, words[0], words[1]) == 1;
}

Received receive_listener(int channel, void* other, std::size_t size) {
  iovec piece = {other, size};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message = {};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  Received received;
  do {
    received.got = ::recvmsg(channel, &message, MSG_CMSG_CLOEXEC);
  } while (received.got < 0 && errno == EINTR);
  const cmsghdr* header = received.got > 0 ? CMSG_FIRSTHDR(&message) : nullptr;
  if (header == nullptr || header->cmsg_type != SCM_RIGHTS) return received;
  int fd = -1;
  std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
  received.listener.fd = UniqueFd(fd);
  received.listener.wait_killable = *static_cast<const char*>(other) != 0;
  return received;
}

}  // namespace whittle::host
