#pragma once

#include <string>

namespace weft {

// " (step.py, line 12)": where the innermost function outside of this package is; nothing where there is none.
std::string python_line();

}  // namespace weft
