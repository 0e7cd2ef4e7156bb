// Whether Python or NumPy draw random numbers: a replay would not.
#pragma once

#include <vector>

#include "tensor/python.h"

namespace weft {

class HostRandom {
 public:
  HostRandom() : before_(state()) {}
  bool drawn() const { return before_ != state(); }

 private:
  static std::vector<char> state();
  std::vector<char> before_;
};

}  // namespace weft
