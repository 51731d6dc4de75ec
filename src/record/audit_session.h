// An audit session of our own: every process that we start from then on is in it, whatever it
// becomes, and each of its audit records says so (`ses`). That tells records of what a verb runs
// from those of everything else on the machine, also when the process has long gone.
//
// A session begins when a process sets its login id (/proc/PID/loginuid, proc(5)), and is inherited
// by its children (audit_set_loginuid(), kernel/auditsc.c). The login id stays what it was, or
// becomes our user id where there was none.
#pragma once

#include <cstdint>

#include "base/result.h"

namespace whittle::record {

class AuditSession {
 public:
  // Errors, kind environment: no audit in this kernel; a login id that is set already, and no
  // CAP_AUDIT_CONTROL, or it is locked (auditctl --loginuid-immutable).
  static Result<AuditSession> begin();
  AuditSession(AuditSession&& other) noexcept;
  AuditSession& operator=(AuditSession&&) = delete;
  ~AuditSession();  // leaves it, where we may: what we start later is not in it

  std::uint32_t id() const { return id_; }

 private:
  AuditSession(std::uint32_t id, std::uint32_t login_before)
      : id_(id), login_before_(login_before) {}
  std::uint32_t id_;
  std::uint32_t login_before_;
  bool left_ = false;
};

}  // namespace whittle::record
