// The kernels of one device (and, on the CPU, of one instruction set): one line per stem, here and in the list below.
#pragma once

#include "kernels/arg_reduce.h"
#include "kernels/attention.h"
#include "kernels/batch_norm.h"
#include "kernels/conv.h"
#include "kernels/copy.h"
#include "kernels/cross_entropy.h"
#include "kernels/csr.h"
#include "kernels/ctc_loss.h"
#include "kernels/distance.h"
#include "kernels/dropout.h"
#include "kernels/embedding.h"
#include "kernels/gather.h"
#include "kernels/grid_sample.h"
#include "kernels/group_norm.h"
#include "kernels/index.h"
#include "kernels/interpolate.h"
#include "kernels/layer_norm.h"
#include "kernels/linear_scan.h"
#include "kernels/matmul.h"
#include "kernels/optimizer.h"
#include "kernels/pointwise.h"
#include "kernels/pool.h"
#include "kernels/probe.h"
#include "kernels/random.h"
#include "kernels/reduce.h"
#include "kernels/rnn.h"
#include "kernels/scan.h"
#include "kernels/search.h"
#include "kernels/segment.h"
#include "kernels/softmax.h"
#include "kernels/sort.h"
#include "kernels/unfold.h"

#define WEFT_STEMS(STEM)                   \
  STEM(ArgReduceKernels, arg_reduce)       \
  STEM(AttentionKernels, attention)        \
  STEM(BatchNormKernels, batch_norm)       \
  STEM(ConvKernels, conv)                  \
  STEM(CopyKernels, copy)                  \
  STEM(CrossEntropyKernels, cross_entropy) \
  STEM(CsrKernels, csr)                    \
  STEM(CtcLossKernels, ctc_loss)           \
  STEM(DistanceKernels, distance)          \
  STEM(DropoutKernels, dropout)            \
  STEM(EmbeddingKernels, embedding)        \
  STEM(GatherKernels, gather)              \
  STEM(GridSampleKernels, grid_sample)     \
  STEM(GroupNormKernels, group_norm)       \
  STEM(IndexKernels, index)                \
  STEM(InterpolateKernels, interpolate)    \
  STEM(LayerNormKernels, layer_norm)       \
  STEM(LinearScanKernels, linear_scan)     \
  STEM(MatmulKernels, matmul)              \
  STEM(OptimizerKernels, optimizer)        \
  STEM(PointwiseKernels, pointwise)        \
  STEM(PoolKernels, pool)                  \
  STEM(ProbeKernels, probe)                \
  STEM(RandomKernels, random)              \
  STEM(ReduceKernels, reduce)              \
  STEM(RnnKernels, rnn)                    \
  STEM(ScanKernels, scan)                  \
  STEM(SearchKernels, search)              \
  STEM(SegmentKernels, segment)            \
  STEM(SoftmaxKernels, softmax)            \
  STEM(SortKernels, sort)                  \
  STEM(UnfoldKernels, unfold)

namespace weft {

struct Kernels {
#define STEM(Type, name) Type name;
  WEFT_STEMS(STEM)
#undef STEM
};

// The CPU's instruction sets that this build has and this processor runs, best first ("v4", "v3", "v2"; "generic").
const char* cpu_isa();                           // the one in use
bool set_cpu_isa(const char* name);              // false if unknown or not runnable here
int cpu_isas(const char** names, int capacity);  // how many there are
Kernels& kernel_table(int device_kind);          // mutable: a device module fills its own when it is loaded

}  // namespace weft
