// How many processors this process may use.
#pragma once

#include <string>

namespace weft {

int available_cpus();  // min(affinity, cgroup quota rounded up), at least 1

// The tightest CPU quota on the way from this process's cgroup to the root, in processors; 0 when there is none.
// `self` is /proc/self/cgroup and `root` is /sys/fs/cgroup, except in tests. Reads versions 1 and 2.
double cgroup_quota(const std::string& self, const std::string& root);

}  // namespace weft
