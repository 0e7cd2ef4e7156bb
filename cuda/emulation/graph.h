// Graphs of the emulated device: while a thread captures, its launches are kept instead of run, and nothing else is
// allowed.
#pragma once

#include <cstdint>
#include <functional>

namespace weft::emulation {

bool capturing();                         // this thread
void capture(std::function<void()> run);  // a launch, with its arguments
void spoil_capture();                     // something happened that no graph can hold

void begin_capture();
void* end_capture();  // nullptr: spoiled
void launch_graph(void* graph);
void release_graph(void* graph);

void let_captures_fail(bool on);
int64_t graphs_alive();
int64_t graph_launches();  // so far

}  // namespace weft::emulation
