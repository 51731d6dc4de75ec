// Commands that start a container elsewhere.
//
// `docker run` is no workload: it asks a daemon to make a container, and the container's processes
// are no children of it. Recording it would give the client's calls under the workload's name. runc
// and crun do start the container below themselves, but its calls would be mixed with theirs.
//
//   container_client({"docker", "run", "--name", "web", "nginx"})->hint
//     "in one terminal: whittle record --container web --wait; then in another: docker run --name
//      web nginx"
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace whittle::cli {

// The error, kind input, that answers such a command; its hint is what to run instead. nullopt for
// any other command, and for the clients' commands that start nothing (docker ps).
std::optional<Error> container_client(const std::vector<std::string>& command);

}  // namespace whittle::cli
