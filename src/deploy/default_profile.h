// The profile that Docker's daemon and Podman give to containers that ask for none of their own.
//
//   Docker   /etc/docker/daemon.json, key "seccomp-profile" (dockerd(8)); read when dockerd starts
//   Podman   containers.conf(5), [containers] seccomp_profile; whittle writes a file of its own,
//            /etc/containers/containers.conf.d/50-whittle-seccomp.conf, which holds from the next
//            container on
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"

namespace whittle::deploy {

enum class Engine : std::uint8_t { kDocker, kPodman };

// The lines that set it, for a person to put into file_of(engine).
std::string default_profile_setting(Engine engine, const std::string& profile);
std::string default_profile_file(Engine engine, const std::string& etc = "/etc");

// Changes that one setting and leaves all others; false: it was so already. The file and its
// directory are made when they are missing. Errors: daemon.json is no JSON object; it can't be
// written.
Result<bool> set_default_profile(Engine engine, const std::string& profile,
                                 const std::string& etc = "/etc");
// What is set there now; nullopt: nothing, or it can't be read.
std::optional<std::string> default_profile(Engine engine, const std::string& etc = "/etc");

}  // namespace whittle::deploy
