// Whether Python or NumPy draw random numbers: a replay would not.
#pragma once

#include <vector>

#include "tensor/python.h"

namespace weft {

class HostRandom {
 public:
  HostRandom();
  bool drawn() const;  // since it was made

 private:
  std::vector<char> before_;
};

}  // namespace weft
