// A step as a flat list of kernel launches over memory that is kept: recorded once while it runs, replayed without
// Python, without the tape and without looking for memory.
//
// While a step is recorded, memory comes from an arena of its own: what it releases it uses again, in the same order at
// each replay, so a replay repeats the launches with the addresses of the recording. What the step reads and changes
// outside (weights, the state of an optimizer, statistics) it reads and changes in place, with the versions counted on.
// What the host did between launches and has to do again (checking labels, a schedule) is in the list as a deed; random
// numbers are drawn before the first launch. A step that no replay could follow is said to be broken, by what it did,
// and runs on undisturbed. On a GPU, launches with nothing of the host's between them are sent as one graph.
#pragma once

#include <cstddef>
#include <functional>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "plan/fuse.h"
#include "plan/launch_graph.h"
#include "plan/random_cells.h"
#include "tensor/launch.h"
#include "tensor/tensor.h"

namespace weft {

class Plan final : public Recorder {
 public:
  // strict: what cannot be replayed is an error at once. packs_weights: weights do not change while it is in use.
  Plan(bool strict, bool packs_weights) : strict_(strict), packs_weights_(packs_weights) {}
  explicit Plan(const Plan& forward)
      : arenas_(forward.arenas_), gpus_(forward.gpus_), strict_(forward.strict_), packs_weights_(false) {}
  ~Plan() override;

  // Recording. begin() makes this the thread's recorder; end(), also after an error, lets it go.
  void begin();
  void end();
  void add_input(const Tensor& like);      // before begin: memory of its own for this argument
  void finish(const TensorList& outputs);  // after end: what the replays return, and what is known of the world outside

  void launched(const char* name, Device device, void (*kernel)(const void*), const void* args, size_t bytes,
                double work) override;
  void used(Storage& storage) override;
  void cannot_replay(const std::string& reason) override { break_off(reason); }
  void grad_used(TensorImpl& leaf, GradUse use) override;
  Arena* arena(Device device) override;
  bool packs(Storage& storage) override;
  void at_replay(std::function<void()> deed) override;
  void renewed(std::function<void(void*)> renew) override;
  Ref<Storage> random_cell(Device device, std::function<void(uint64_t*)> draw) override {
    return random_.add(device, std::move(draw));
  }
  void random_act(std::function<void()> act) override { random_.add(std::move(act)); }
  void break_off(std::string reason);
  const std::string& broken() const { return broken_; }  // empty: can be replayed

  // Whether memory of the step lives on elsewhere than in its outputs and in gradients: somebody else kept a tensor
  // that each replay would write to. Asked once the results of the recording are gone.
  bool escaped() const;

  // Is what the launches rely on as it was? The gradients that the step found, and the weights that it packed.
  bool fits() const;
  std::vector<uint32_t> outside_versions() const;
  bool repeatable() const;  // changes nothing outside: several like it may run at once
  // One at a time: the caller holds `busy`. The GIL is freed while there is much to do.
  void copy_in(size_t input, const Tensor& from);
  void run(std::vector<double>* seconds = nullptr);
  Tensor output(size_t i, const TensorList& arguments) const;  // a tensor of its own

  const TensorList& inputs() const { return inputs_; }
  size_t outputs() const { return outputs_.size(); }
  size_t launches() const { return launches_; }
  struct Line {
    const char* name;
    Device device;
    double work;
    int graph;  // of which it is a part, or -1
  };
  std::vector<Line> lines() const;
  int64_t bytes() const;    // of the arenas and the inputs
  int64_t peak() const;     // of the arenas: the most that was in use at once
  int64_t weights() const;  // bytes outside that the launches address
  std::mutex busy;

 private:
  struct Item {
    void (*kernel)(const void*);  // null: a deed
    size_t at, bytes;             // into arguments_; or which deed
    int renew;                    // index, or -1
    const char* name;
    Device device;
    double work;
  };
  struct Outside {
    Ref<Storage> storage;
    uint32_t before, changes;
  };
  struct Leaf {
    Ref<TensorImpl> tensor;
    bool cleared;  // before anything else happened to its .grad
    Ref<TensorImpl> entry, exit;
    Ref<Storage> memory;  // of entry
  };
  struct Packed {
    Ref<Storage> of;
    uint32_t version;
  };
  struct Output {
    Tensor tensor;
    int argument = -1;  // it is that input, or a view of it
    bool same = false;
  };
  struct Gpu {
    Device device;
    void* stream;  // where the step was last sent to
  };
  bool owns(const Storage& storage) const;  // memory of the step
  void give_away(Leaf& leaf);
  void keep_stream(Device gpu);  // recording
  void follow_streams();         // replaying
  void launch(const Item& item, std::vector<double>* seconds);
  void drop_unread();
  void fuse();
  void find_graphs();
  size_t add_arguments(const void* args, size_t bytes);  // their place

  std::vector<Ref<Arena>> arenas_{make_ref<Arena>(Device{})};  // the CPU's, and those of GPUs that it uses
  std::vector<Gpu> gpus_;
  std::vector<Item> items_;
  std::vector<std::max_align_t> arguments_;
  std::vector<std::unique_ptr<FusedPointwise>> fused_;
  std::vector<std::unique_ptr<std::string>> names_;  // of fused launches
  std::vector<std::function<void()>> deeds_;
  std::vector<std::function<void(void*)>> renewals_;
  std::vector<LaunchGraph> graphs_;
  RandomCells random_;
  std::vector<Outside> outside_;
  std::unordered_map<Storage*, size_t> known_;  // into outside_
  std::vector<Leaf> leaves_;
  std::unordered_map<TensorImpl*, size_t> known_leaves_;
  std::vector<Packed> packed_;
  TensorList inputs_;
  std::vector<Output> outputs_;
  std::string broken_;
  size_t launches_ = 0, clock_ = 0;  // clock_: items so far, for the arena's log
  std::vector<Arena::Life> lives_;
  double work_ = 0;
  int next_renewal_ = -1;
  bool strict_, packs_weights_, recording_ = false;
};

}  // namespace weft
