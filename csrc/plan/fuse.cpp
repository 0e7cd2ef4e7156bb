#include "plan/fuse.h"

#include <algorithm>
#include <cstring>

#include "base/allocator.h"
#include "base/dtype.h"
#include "base/threads.h"

namespace weft {

namespace {

constexpr int64_t kTile = 8 * 1024;  // elements of a tile: a few operands of it fit the second cache

// An operand, as far as memory goes: out (k = -1) or an input.
struct Access {
  const char* base;  // null: a constant
  const int64_t* strides;
  int64_t itemsize;
};

Access access(const Pointwise& a, int k) {
  if (k < 0) return {static_cast<const char*>(a.out), a.out_strides, size_of(a.out_dtype)};
  return {static_cast<const char*>(a.in[k].data), a.in[k].strides, size_of(a.in[k].dtype)};
}

int64_t numel_of(const Pointwise& a) {
  int64_t n = 1;
  for (int d = 0; d < a.ndim; ++d) n *= a.shape[d];
  return n;
}

const char* end_of(const Access& x, const Pointwise& a) {
  int64_t last = 0;
  for (int d = 0; d < a.ndim; ++d) last += (a.shape[d] - 1) * x.strides[d];
  return x.base + (last + 1) * x.itemsize;
}

// Element by element the same places, or none in common: then it does not matter when the other tiles are done.
bool apart_or_alike(const Pointwise& a, int i, const Pointwise& b, int k) {
  const Access x = access(a, i), y = access(b, k);
  if (!x.base || !y.base || end_of(x, a) <= y.base || end_of(y, b) <= x.base) return true;
  if (x.base != y.base || x.itemsize != y.itemsize) return false;
  for (int d = 0; d < a.ndim; ++d)
    if (a.shape[d] > 1 && x.strides[d] != y.strides[d]) return false;
  return true;
}

bool independent(const Pointwise& a, const Pointwise& b) {
  if (!apart_or_alike(a, -1, b, -1)) return false;
  for (int k = 0; k < b.inputs; ++k)
    if (!apart_or_alike(a, -1, b, k)) return false;
  for (int k = 0; k < a.inputs; ++k)
    if (!apart_or_alike(a, k, b, -1)) return false;
  return true;
}

bool same_shape(const Pointwise& a, const Pointwise& b) {
  return a.ndim == b.ndim && std::equal(a.shape, a.shape + a.ndim, b.shape);
}

// `a`, over one dimension, as over the dimensions of `like`.
void spread(Pointwise& a, const Pointwise& like) {
  auto each = [&](int64_t* strides) {
    int64_t step = strides[0];
    for (int d = like.ndim - 1; d >= 0; --d) {
      strides[d] = step;
      step *= like.shape[d];
    }
  };
  each(a.out_strides);
  for (int k = 0; k < a.inputs; ++k)
    if (a.in[k].data) each(a.in[k].strides);
  a.ndim = like.ndim;
  std::copy(like.shape, like.shape + like.ndim, a.shape);
}

bool by_rows(const Pointwise& a) {  // out without gaps, the last dimension fastest
  int64_t step = 1;
  for (int d = a.ndim - 1; d >= 0; --d) {
    if (a.shape[d] > 1 && a.out_strides[d] != step) return false;
    step *= a.shape[d];
  }
  return true;
}

// Members get one shape, or it is refused.
bool joins(std::vector<FusedPointwise::Member>& members, Pointwise& a) {
  const Pointwise& first = members[0].args;
  if (!same_shape(first, a)) {
    if (numel_of(first) != numel_of(a)) return false;
    if (a.ndim == 1 && std::all_of(members.begin(), members.end(), [](auto& m) { return by_rows(m.args); })) {
      spread(a, first);
    } else if (first.ndim == 1 && by_rows(a)) {
      for (auto& m : members) spread(m.args, a);
    } else {
      return false;
    }
  }
  return std::all_of(members.begin(), members.end(), [&](auto& m) { return independent(m.args, a); });
}

// The reduction takes what a member writes, and nothing else of theirs is where it reads or writes.
bool reads_a_member(const Reduce& r, const std::vector<FusedPointwise::Member>& members) {
  const char *x = static_cast<const char*>(r.x), *x_end = x + r.kept_numel * r.reduced_numel * size_of(r.dtype);
  const char *y = static_cast<const char*>(r.y), *y_end = y;
  y_end += ((r.kept ? (r.size[0] - 1) * r.y_stride[0] : 0) + 1) * size_of(r.y_dtype);
  bool found = false;
  for (const auto& m : members)
    for (int k = -1; k < m.args.inputs; ++k) {
      const Access operand = access(m.args, k);
      if (!operand.base) continue;
      const char* end = end_of(operand, m.args);
      if (operand.base < y_end && y < end) return false;
      if (k >= 0 || end <= x || x_end <= operand.base) continue;
      if (operand.base != x || m.args.out_dtype != r.dtype || !by_rows(m.args)) return false;
      found = true;
    }
  return found;
}

// Its rows are the members', or theirs are single elements.
bool closes(const std::vector<FusedPointwise::Member>& members, const Reduce& r) {
  const Pointwise& first = members[0].args;
  if (!ClosingReduction::can_close(r) || r.kept_numel * r.reduced_numel != numel_of(first)) return false;
  if (first.ndim != 1 && (r.kept == 0 || first.shape[0] != r.size[0])) return false;
  return reads_a_member(r, members);
}

// What lives between the members alone is kept in a tile of each thread.
void keep_in_tiles(FusedPointwise& f, size_t first, const std::vector<Arena::Life>& lives) {
  const size_t end = first + f.members.size() + (f.closing ? 1 : 0);
  std::vector<const Arena::Life*> inner;
  auto scratch_of = [&](const void* p, size_t at) {
    for (const Arena::Life& life : lives)
      if (life.at == p && life.born >= first && life.died <= end && life.born <= at && at < life.died) {
        auto found = std::find(inner.begin(), inner.end(), &life);
        if (found == inner.end()) found = inner.insert(found, &life);
        return (int)(found - inner.begin());
      }
    return -1;
  };
  for (size_t i = 0; i < f.members.size(); ++i) {
    FusedPointwise::Member& m = f.members[i];
    std::fill(std::begin(m.scratch_of), std::end(m.scratch_of), -1);
    m.scratch_of[0] = by_rows(m.args) ? scratch_of(m.args.out, first + i) : -1;
    for (int k = 0; k < m.args.inputs; ++k)
      if (m.args.in[k].data) m.scratch_of[1 + k] = scratch_of(m.args.in[k].data, first + i);
  }
  if (f.closing) f.closing->scratch = scratch_of(f.closing->args.x, end - 1);
  // One that a member sees in another way than it is stored stays in memory for all of them.
  std::vector<bool> in_memory(inner.size());
  auto each = [&](auto visit) {
    for (auto& m : f.members)
      for (int k = -1; k < m.args.inputs; ++k)
        if (int& s = m.scratch_of[1 + k]; s >= 0) visit(m, k, s);
  };
  for (auto& m : f.members)
    if (m.scratch_of[0] < 0)
      for (size_t s = 0; s < inner.size(); ++s)
        if (inner[s]->at == m.args.out) in_memory[s] = true;
  each([&](auto&, int, int& s) {
    if (in_memory[(size_t)s]) s = -1;
  });
  if (f.closing && f.closing->scratch >= 0 && in_memory[(size_t)f.closing->scratch]) f.closing->scratch = -1;
  f.scratch_buffers = (int)inner.size();
}

std::unique_ptr<FusedPointwise> finished(std::vector<FusedPointwise::Member> members, size_t first,
                                         const FusibleLaunch* closing, const std::vector<Arena::Life>& lives) {
  auto f = std::make_unique<FusedPointwise>();
  f->members = std::move(members);
  const Pointwise& a = f->members[0].args;
  const int64_t rows = a.shape[0];
  f->row_numel = numel_of(a) / rows;
  if (closing)
    f->closing = std::make_unique<ClosingReduction>(ClosingReduction{closing->reduce, *closing->reduce_args, -1, {}});
  if (closing && f->closing->to_one()) {
    f->cuts = ClosingReduction::cuts(f->closing->args);
    f->closing->partials.resize(f->cuts.size() - 1);
  } else {
    if (closing && a.ndim == 1) f->unit = closing->reduce_args->size[1];
    const int64_t tile = std::max<int64_t>(1, kTile / (f->row_numel * f->unit)) * f->unit;
    for (int64_t begin = 0; begin < rows; begin += tile) f->cuts.push_back(begin);
    f->cuts.push_back(rows);
  }
  for (size_t i = 1; i < f->cuts.size(); ++i)
    f->tile_bytes = std::max(f->tile_bytes, (f->cuts[i] - f->cuts[i - 1]) * f->row_numel * 8);
  keep_in_tiles(*f, first, lives);
  return f;
}

}  // namespace

std::vector<Fusion> fuse_pointwise(const std::vector<FusibleLaunch>& launches, const std::vector<Arena::Life>& lives) {
  std::vector<Fusion> all;
  for (size_t i = 0; i < launches.size();) {
    std::vector<FusedPointwise::Member> members;
    size_t k = i;
    for (; k < launches.size() && launches[k].kernel && launches[k].at == launches[i].at + (k - i); ++k) {
      Pointwise a = *launches[k].args;
      if (a.ndim == 0 || numel_of(a) < kLeastFused || a.shape[0] < 2) break;
      if (!members.empty() && !joins(members, a)) break;
      members.push_back({launches[k].kernel, a, {}});
    }
    const FusibleLaunch* closing = nullptr;
    if (!members.empty() && k < launches.size() && launches[k].reduce && launches[k].at == launches[i].at + (k - i) &&
        closes(members, *launches[k].reduce_args))
      closing = &launches[k++];
    if (k - i > 1) all.push_back({launches[i].at, k - i, finished(std::move(members), launches[i].at, closing, lives)});
    i = std::max(k, i + 1);
  }
  return all;
}

void run_fused(const FusedPointwise& f) {
  const int64_t room = f.tile_bytes * f.scratch_buffers;
  char* scratch = room ? static_cast<char*>(allocate_cpu((size_t)room * (size_t)num_threads())) : nullptr;
  parallel((int64_t)f.cuts.size() - 1, [&](int64_t piece, int worker) {
    const int64_t begin = f.cuts[(size_t)piece], rows = f.cuts[(size_t)piece + 1] - begin;
    auto place = [&](auto* base, int64_t stride, DType dtype, int buffer) {
      char* at = buffer < 0 || !scratch ? (char*)base + begin * stride * size_of(dtype)
                                        : scratch + worker * room + buffer * f.tile_bytes;
      return static_cast<decltype(base)>((void*)at);
    };
    for (const FusedPointwise::Member& m : f.members) {
      Pointwise a = m.args;
      a.shape[0] = rows;
      a.out = place(m.args.out, m.args.out_strides[0], a.out_dtype, m.scratch_of[0]);
      for (int k = 0; k < a.inputs; ++k)
        if (a.in[k].data)
          a.in[k].data = place(m.args.in[k].data, a.in[k].strides[0], a.in[k].dtype, m.scratch_of[1 + k]);
      m.kernel(a);
    }
    if (!f.closing) return;
    const Reduce& r = f.closing->args;
    const void* x = place(r.x, f.row_numel, r.dtype, f.closing->scratch);
    f.closing->run_piece(piece, begin / f.unit, rows / f.unit, x);
  });
  if (f.closing) f.closing->finish();
  if (scratch) release_cpu(scratch, (size_t)room * (size_t)num_threads());
}

}  // namespace weft
