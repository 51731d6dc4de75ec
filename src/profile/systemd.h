// systemd's system-call filter as a profile: SystemCallFilter=, SystemCallErrorNumber= and
// SystemCallArchitectures= (systemd.exec(5); systemd 252), in a unit file or drop-in, or the value
// of SystemCallFilter= alone.
//
//   SystemCallFilter=@system-service        # a list of what is allowed, and @default with it
//   SystemCallFilter=~@privileged           # then less of it
//   SystemCallFilter=~clone3:ENOSYS         # with an errno of its own
//
// What is not allowed kills the process, or gets the errno of SystemCallErrorNumber=. A filter that
// begins with ~ is a list of what is refused. Without SystemCallArchitectures= the filter is in
// force on every ABI of the machine; with it others kill the thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "profile/document.h"

namespace whittle::profile {

// A line of one of those settings, or words that begin as a list of calls does.
bool looks_like_systemd(std::string_view text);

// Unknown groups are errors, while systemd passes over them; unknown calls are kept, as in other
// profiles. What systemd ignores with a warning is ignored with one here.
Result<Document> read_systemd(std::string_view text, std::string_view place,
                              const ReadOptions& options);

// The calls of a group ("@default") with those of the groups in it, sorted; nullopt: there is none
// of that name. From data/systemd-groups.tsv.
std::optional<std::vector<std::string>> systemd_group(std::string_view name);
std::string_view systemd_groups_version();  // "252"

// "x86-64" for SCMP_ARCH_X86_64; empty: systemd has none.
std::string_view systemd_arch(std::string_view oci_arch);

// A drop-in for a unit with the filter of the profile. REQUIRES: no rule has conditions, no call
// two rules; the default is allow, errno from 1 on or kill_process, the rules are allow, errno or
// kill_process; systemd_arch() knows the architectures.
std::string write_systemd(const Profile& profile);

}  // namespace whittle::profile
