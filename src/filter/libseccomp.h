// libseccomp as compile() calls it: the one that is part of whittle, or another build of it.
//
// Another build is a shared library, which a static program can't load, and which may do anything:
// it runs in a process of its own (libseccomp_program.c) that gets one call after the other.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/result.h"
#include "profile/profile.h"

namespace whittle::filter {

// Of the processor, so that a busy machine is not taken for an endless loop. Docker's default costs
// libseccomp some 10 ms: what takes this long never ends. SIGPROF ends the process that it runs in.
constexpr int kMostProcessorMicroseconds = 800'000;

// Each function is that of libseccomp(3) with this name: 0, or a negative errno.
class Libseccomp {
 public:
  Libseccomp() = default;
  Libseccomp(const Libseccomp&) = delete;
  Libseccomp& operator=(const Libseccomp&) = delete;
  virtual ~Libseccomp() = default;

  virtual std::string version() = 0;  // "2.5.4"
  virtual int init(std::uint32_t action) = 0;
  virtual std::uint32_t arch_resolve_name(const std::string& name) = 0;  // 0: unknown
  virtual int arch_add(std::uint32_t token) = 0;
  virtual int arch_remove_native() = 0;
  // nullopt: unknown. Negative: a call of other architectures.
  virtual std::optional<int> syscall_resolve_name(const std::string& name) = 0;
  virtual std::optional<int> syscall_resolve_name_arch(std::uint32_t token,
                                                       const std::string& name) = 0;
  virtual int rule_add(std::uint32_t action, int call,
                       std::span<const profile::Condition> conditions) = 0;
  // To the file of which it was told when it was made.
  virtual int export_bpf() = 0;

  // When its process ended before it answered: the signal, or 0 for an exit. Never of our own one.
  // Until the next call of a function nothing that was answered since counts.
  virtual std::optional<int> ended() = 0;
};

// SCMP_ACT_* of a verdict, which is what the kernel takes.
std::uint32_t libseccomp_action(const profile::Verdict& verdict);

// `program_fd` gets the filter, at its offset; it must stay open as long as this.
std::unique_ptr<Libseccomp> own_libseccomp(int program_fd);
// Of the shared library `file`. Errors: it is none (input); the process can't be started
// (environment).
Result<std::unique_ptr<Libseccomp>> libseccomp_of(const std::string& file, int program_fd);

}  // namespace whittle::filter
