#include "trial/probe_marker.h"

#include <utility>

namespace whittle::trial {

namespace {

constexpr profile::Verdict kMarker{profile::Action::kErrno, kMarkerErrno};

}  // namespace

std::optional<filter::Program> with_marker(filter::Program program) {
  for (sock_filter& instruction : program) {
    if (BPF_CLASS(instruction.code) != BPF_RET) continue;
    if (BPF_RVAL(instruction.code) != BPF_K) return std::nullopt;
    if (!filter::verdict_of(instruction.k).allows()) {
      instruction.k = SECCOMP_RET_ERRNO | kMarkerErrno;
    }
  }
  return program;
}

profile::Profile with_marker(const profile::Profile& profile) {
  profile::Profile::Parts parts = profile.parts();
  if (!parts.default_verdict.allows()) parts.default_verdict = kMarker;
  for (profile::Rule& rule : parts.rules) {
    if (!rule.verdict.allows()) rule.verdict = kMarker;
  }
  parts.listener_path.clear();  // nothing notifies any more, and runtimes refuse one without use
  parts.listener_metadata.clear();
  return profile::Profile(std::move(parts));
}

}  // namespace whittle::trial
