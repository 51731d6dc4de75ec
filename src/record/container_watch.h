// Waiting for a container: every new cgroup of the host is followed on trial until it is known
// whose it is, since a container's name may be known only when it is about to run.
//
//   TRY_ASSIGN(ContainerWatch watch, ContainerWatch::start(recorder, cgroups, "web"));
//   ... each time that recorder.events_fd() is readable, and every few milliseconds:
//   TRY(watch.look());
//   if (auto started = watch.next_started()) ...   // it counts for started->main
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "host/cgroups.h"
#include "host/containers.h"
#include "record/ebpf_recorder.h"

namespace whittle::record {

class ContainerWatch {
 public:
  // How many sources a recorder needs for it: two for each container that may start before it is
  // known whose it is. On a machine that has no time for whittle these are many: 16. Each source
  // takes 216 KiB of the kernel's memory for each processor, so with more than 16 processors, of
  // which one will be free, it is 4.
  static unsigned sources();

  // REQUIRES: recorder and cgroups outlive it.
  static Result<ContainerWatch> start(EbpfRecorder& recorder, const host::Cgroups& cgroups,
                                      std::string name);

  // Takes the cgroups made meanwhile, and decides about each as soon as that can be known: those of
  // others are dropped.
  Result<void> look();

  struct Started {
    host::Container container;  // without a pid as long as its runtime's state is not there
    host::CgroupRef cgroup;
    // nullopt: it ran when so many others had started whose names were not known yet that no source
    // was free, and nothing of it was counted.
    std::optional<EbpfRecorder::Source> main;
  };
  // A container of that name of which something counts; each once.
  std::optional<Started> next_started();

  // No further one is waited for: the cgroups of others are dropped.
  Result<void> stop();

  // The container that is alone in the cgroup, from its runtime's state; nullopt: not there yet, or
  // no more.
  std::optional<host::Container> owner_of(const host::CgroupRef& cgroup) const;
  // One that runs and was there before the watch began.
  std::optional<host::Container> running_before() const;
  // Milliseconds until look() should be called again.
  int patience() const;

 private:
  struct Pending {
    host::CgroupRef cgroup;
    double made = 0;
    bool ours = false;
    bool gone = false;
    double ran = 0;  // since when something counts there; 0: nothing does
    host::Container container;
  };
  ContainerWatch(EbpfRecorder& recorder, const host::Cgroups& cgroups, std::string name)
      : recorder_(&recorder), cgroups_(&cgroups), name_(std::move(name)) {}
  bool is_open(const Pending& pending) const;
  void decide(Pending& pending, const std::vector<host::Container>& all, bool& drop) const;

  EbpfRecorder* recorder_;
  const host::Cgroups* cgroups_;
  std::string name_;
  std::vector<Pending> pending_;
};

}  // namespace whittle::record
