// A recorded step whose results are differentiated outside of it: its way back, recorded when it is first gone.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "plan/plan.h"
#include "tensor/autograd.h"

namespace weft {

class CompiledTape : public std::enable_shared_from_this<CompiledTape> {
 public:
  // results: of the recording, those with a history. The tape that it left is kept, and with it what it saved.
  CompiledTape(std::shared_ptr<Plan> forward, TensorList results);

  // Puts `results`, made by a replay from `arguments`, on the tape of the caller. Until their backward pass is over, or
  // they are gone, the forward pass may not be replayed.
  void attach(const TensorList& results, const TensorList& arguments);
  bool occupied() const { return occupied_; }
  std::string broken() const;  // why the way back cannot be replayed, once that is known

 private:
  struct Back {
    std::vector<bool> given;  // which results have a gradient
    std::shared_ptr<Plan> plan;
    std::vector<int> output_of_leaf;  // -1: none
  };
  struct Occupation {
    std::shared_ptr<CompiledTape> tape;
    std::vector<std::vector<uint32_t>> versions;  // of what each way back reads, after the forward pass
    explicit Occupation(std::shared_ptr<CompiledTape> tape);
    ~Occupation() { tape->occupied_ = false; }
  };
  TensorList back(const TensorList& incoming, const Occupation& since);
  TensorList record_back(const TensorList& incoming, std::vector<bool> given);

  std::shared_ptr<Plan> forward_;
  TensorList roots_;
  std::vector<Ref<TensorImpl>> leaves_;
  std::vector<Back> backs_;
  std::atomic<bool> occupied_{false};
};

}  // namespace weft
