// Where the kernels of a step read their streams of random numbers: pairs of words in memory of the device, renewed by
// each replay before its first launch. Draws depend on their order among themselves alone, so that nothing has to
// happen between the launches; a device gets all of them in one copy.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "tensor/tensor.h"

namespace weft {

class RandomCells {
 public:
  Ref<Storage> add(Device device, std::function<void(uint64_t* words)> draw);  // and draws
  void add(std::function<void()> act) { acts_.push_back(std::move(act)); }     // in between, of a generator
  void renew();                                                                // all, in the order of the step

 private:
  struct Block {
    Ref<Storage> memory;
    std::vector<uint64_t> host;
    void renew(size_t from) const;  // from that word on
  };
  Block& block_for(Device device);

  std::vector<Block> blocks_;
  std::vector<std::function<void()>> acts_;
};

}  // namespace weft
