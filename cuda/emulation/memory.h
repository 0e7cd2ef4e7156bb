// The emulated device's memory: one reserved range, closed to the host except while a kernel or a copy runs, poisoned
// when handed out, with guard bytes after every buffer that are checked when it comes back.
#pragma once

#include <cstddef>
#include <cstdint>

namespace weft::emulation {

void* allocate(size_t bytes);
void release(void* p, size_t bytes);
bool contains(const void* p);
int64_t bytes_in_use();

}  // namespace weft::emulation
