#include "record/audit_session.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <utility>

#include "base/fd.h"
#include "base/file_system.h"
#include "base/text.h"

namespace whittle::record {

namespace {

constexpr std::uint32_t kNone = UINT32_MAX;  // no login id; no session
constexpr const char* kLogin = "/proc/self/loginuid";
constexpr const char* kSession = "/proc/self/sessionid";

std::optional<std::uint32_t> read_number(const char* path) {
  const auto text = read_file(path, 64);
  if (!text) return std::nullopt;
  const auto number = parse_u64(trim(*text));
  if (!number || *number > kNone) return std::nullopt;
  return static_cast<std::uint32_t>(*number);
}

// The errno, 0 for none. In one write, as the file wants it.
int set_login(std::uint32_t id) {
  const UniqueFd file(::open(kLogin, O_WRONLY | O_CLOEXEC));
  if (!file.valid()) return errno;
  const std::string text = format("{}", id);
  return ::write(file.get(), text.data(), text.size()) < 0 ? errno : 0;
}

}  // namespace

Result<AuditSession> AuditSession::begin() {
  const auto login = read_number(kLogin);
  if (!login) return environment_error("this kernel has no audit sessions", kLogin);
  const int error = set_login(*login == kNone ? ::geteuid() : *login);
  if (error != 0) {
    return errno_error(
        ErrorKind::kEnvironment, "cannot begin an audit session", error, kLogin,
        "where one is set, to set it anew takes CAP_AUDIT_CONTROL (root), and that it is not "
        "locked");
  }
  AuditSession session(read_number(kSession).value_or(kNone), *login);
  if (session.id_ == kNone) return environment_error("no audit session began", kSession);
  return session;
}

AuditSession::AuditSession(AuditSession&& other) noexcept
    : id_(other.id_), login_before_(other.login_before_), left_(std::exchange(other.left_, true)) {}

AuditSession::~AuditSession() {
  if (!left_) set_login(login_before_);
}

}  // namespace whittle::record
