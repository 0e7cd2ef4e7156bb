// Places in sorted rows: a thread per value.
#include "kernels/search.h"

#include "convert.cuh"

namespace weft::cuda {
namespace {

constexpr int kThreads = 256;

template <class V>
__global__ void __launch_bounds__(kThreads) search_rows(Search a) {
  for (int64_t i = (int64_t)blockIdx.x * kThreads + threadIdx.x; i < a.rows * a.count;
       i += (int64_t)gridDim.x * kThreads) {
    int64_t row = a.shared ? 0 : i / a.count * a.cols, low = 0, left = a.cols;
    V x = load_scalar<V>(a.x, a.dtype, i);
    while (left > 0) {
      int64_t half = left / 2, middle = low + half;
      V v = load_scalar<V>(a.sequence, a.dtype, row + (a.sorter ? a.sorter[row + middle] : middle));
      bool beyond = a.right ? !(v > x) : !(v >= x);
      low = beyond ? middle + 1 : low;
      left = beyond ? left - half - 1 : half;
    }
    a.y[i] = low;
  }
}

void search(const Search& a) {
  int64_t n = a.rows * a.count;
  if (n == 0) return;
  if (is_floating(a.dtype))
    WEFT_LAUNCH((search_rows<double>), grid_for(n, kThreads), kThreads, 0, a);
  else
    WEFT_LAUNCH((search_rows<int64_t>), grid_for(n, kThreads), kThreads, 0, a);
}

}  // namespace

void fill(SearchKernels& k) { k.search = search; }

}  // namespace weft::cuda
