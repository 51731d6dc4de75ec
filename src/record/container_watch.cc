#include "record/container_watch.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/clock.h"

namespace whittle::record {

namespace {

constexpr long kManyProcessors = 16;
// From a cgroup's making, or the first program in it, until its runtime's state is there: crun
// writes it when the container runs already.
constexpr double kOpenSeconds = 2;
constexpr int kOpenMilliseconds = 10;
constexpr int kIdleMilliseconds = 50;

EbpfRecorder::Cgroup for_kernel(const host::CgroupRef& ref) { return {ref.hierarchy, ref.id}; }

bool is_in(const host::CgroupRef& cgroup, const host::Container& container) {
  const auto& own = container.cgroups;
  return std::find(own.begin(), own.end(), cgroup) != own.end();
}

// Every runtime makes a container's cgroup in the hierarchy of pids, where there is one; the v2
// tree of a hybrid host is not known to all of them.
const host::Cgroups::Hierarchy& hierarchy_to_watch(const host::Cgroups& cgroups) {
  for (const auto& hierarchy : cgroups.hierarchies()) {
    if (hierarchy.has("pids")) return hierarchy;
  }
  return cgroups.hierarchies().front();
}

}  // namespace

unsigned ContainerWatch::sources() {
  return ::sysconf(_SC_NPROCESSORS_CONF) > kManyProcessors ? 8 : 32;
}

Result<ContainerWatch> ContainerWatch::start(EbpfRecorder& recorder, const host::Cgroups& cgroups,
                                             std::string name) {
  ContainerWatch watch(recorder, cgroups, std::move(name));
  std::vector<EbpfRecorder::Source> mains;
  for (EbpfRecorder::Source main = 0; main < sources(); main += 2) mains.push_back(main);
  TRY(recorder.watch_new_cgroups(hierarchy_to_watch(cgroups).id, mains));
  TRY(watch.look());
  return watch;
}

std::optional<host::Container> ContainerWatch::running_before() const {
  for (host::Container& container : host::containers(*cgroups_)) {
    const bool is_new = std::any_of(pending_.begin(), pending_.end(), [&](const Pending& pending) {
      return is_in(pending.cgroup, container);
    });
    if (!is_new && host::is_called(container, name_)) return std::move(container);
  }
  return std::nullopt;
}

std::optional<host::Container> ContainerWatch::owner_of(const host::CgroupRef& cgroup) const {
  for (host::Container& container : host::containers(*cgroups_)) {
    if (is_in(cgroup, container)) return std::move(container);
  }
  return std::nullopt;
}

// Whether a look at the runtimes' state may say more about it.
bool ContainerWatch::is_open(const Pending& pending) const {
  if (pending.ours) return pending.container.pid == 0;
  return monotonic_seconds() - std::max(pending.made, pending.ran) < kOpenSeconds;
}

int ContainerWatch::patience() const {
  const bool open = std::any_of(pending_.begin(), pending_.end(), [this](const Pending& pending) {
    return pending.ours || is_open(pending);
  });
  return open ? kOpenMilliseconds : kIdleMilliseconds;
}

Result<void> ContainerWatch::look() {
  for (EbpfRecorder::NewCgroup& made : recorder_->drain()) {
    Pending pending;
    pending.cgroup = {made.cgroup.hierarchy, made.cgroup.id, std::move(made.path)};
    pending.made = monotonic_seconds();
    // Its path tells at once, mostly: its id is the one that the user named, or that of a container
    // whose name its manager keeps before it starts.
    const auto known = host::container_of_cgroup(pending.cgroup.path);
    if (known) pending.container = *known;
    pending.container.id = host::id_in_cgroup_path(pending.cgroup.path);
    pending.ours = host::is_called(pending.container, name_);
    if (known && !pending.ours) {
      TRY(recorder_->release(for_kernel(pending.cgroup)));
    } else {
      pending_.push_back(std::move(pending));
    }
  }
  bool look = false;
  for (Pending& pending : pending_) {
    // In this order: what has gone counts no more.
    pending.gone = !cgroups_->exists(pending.cgroup);
    const bool runs = recorder_->main_of(for_kernel(pending.cgroup)).has_value() ||
                      recorder_->had_no_pair(for_kernel(pending.cgroup));
    if (runs && pending.ran == 0) pending.ran = monotonic_seconds();
    look = look || is_open(pending);
  }
  const auto all = look ? host::containers(*cgroups_) : std::vector<host::Container>();
  std::vector<Pending> left;
  for (Pending& pending : pending_) {
    bool drop = false;
    decide(pending, all, drop);
    if (drop) {
      TRY(recorder_->release(for_kernel(pending.cgroup)));
    } else {
      left.push_back(std::move(pending));
    }
  }
  pending_ = std::move(left);
  return {};
}

void ContainerWatch::decide(Pending& pending, const std::vector<host::Container>& all,
                            bool& drop) const {
  const auto owner = std::find_if(all.begin(), all.end(), [&](const host::Container& container) {
    return is_in(pending.cgroup, container);
  });
  if (owner != all.end() && host::is_called(*owner, name_)) {
    pending.ours = true;
    pending.container = *owner;
  }
  const bool nobodys = pending.ran != 0 && !is_open(pending);  // no container's
  drop = pending.ours ? pending.gone && pending.ran == 0
                      : pending.gone || nobodys || owner != all.end();
}

std::optional<ContainerWatch::Started> ContainerWatch::next_started() {
  for (auto it = pending_.begin(); it != pending_.end(); ++it) {
    if (!it->ours) continue;
    const auto main = recorder_->main_of(for_kernel(it->cgroup));
    if (!main && !recorder_->had_no_pair(for_kernel(it->cgroup))) continue;
    Started started = {std::move(it->container), std::move(it->cgroup), main};
    pending_.erase(it);
    return started;
  }
  return std::nullopt;
}

Result<void> ContainerWatch::stop() {
  recorder_->stop_watching();
  for (const EbpfRecorder::NewCgroup& made : recorder_->drain()) {
    TRY(recorder_->release(made.cgroup));
  }
  for (const Pending& pending : std::exchange(pending_, {})) {
    TRY(recorder_->release(for_kernel(pending.cgroup)));
  }
  return {};
}

}  // namespace whittle::record
