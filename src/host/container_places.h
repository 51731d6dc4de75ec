// Where the container managers of a host keep what they know of their containers: the usual places,
// and those that their configuration, or the command line of a daemon that runs, says otherwise.
//
//   Docker      data-root, exec-root: /etc/docker/daemon.json, dockerd --data-root (dockerd(8))
//   containerd  state: /etc/containerd/config.toml, containerd --state (containerd-config.toml(5))
//   Podman      graphroot, rootless_storage_path: storage.conf (containers-storage.conf(5));
//   runroot
//               holds nothing that is read here
//
// A user's own managers come last, so that none of them speaks for root's containers. A process
// counts as a daemon when it runs as root or as we do.
#pragma once

#include <string>
#include <string_view>

#include "host/containers.h"

namespace whittle::host {

// `root`: where the host's files are, /proc, /etc and /run among them; empty: ours. The places
// themselves are as the files say them.
StatePlaces state_places(const std::string& root);

// The text of a key of a table of TOML ("" is what stands before the first table), when it is one
// line of a quoted text without escapes; empty otherwise.
std::string toml_text(std::string_view toml, std::string_view table, std::string_view key);

}  // namespace whittle::host
