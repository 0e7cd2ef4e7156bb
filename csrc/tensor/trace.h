// The other half of a trace (trace.cpp): a launch on this thread has returned.
#pragma once

namespace weft {

void trace_finished();

}  // namespace weft
