#include "kernels/reduce.h"

#include "base/threads.h"
#include "kernels/reduce/operations.h"

namespace weft::WEFT_ISA {

namespace {

constexpr int kLeafRows = 64;      // the same for columns
constexpr int kStagedRows = 4;     // rows of a tile converted at a time
constexpr int64_t kGrain = 32768;  // elements of a piece of work

// ---- the tree ----

// Offset of element i of the dimensions [from, to), counted with the last one fastest.
WEFT_INLINE int64_t offset_of(const int64_t* size, const int64_t* stride, int from, int to, int64_t i) {
  int64_t offset = 0;
  for (int d = to - 1; d > from; --d) {
    offset += i % size[d] * stride[d];
    i /= size[d];
  }
  return to > from ? offset + i * stride[from] : 0;
}

template <class Acc>
struct Source {
  const Reduce& a;
  const Operation<Acc>& op;
  Stage<Acc> stage;
  bool direct;  // elements are accumulators and neighbours in memory
  int64_t bytes;
  const char* at(int64_t k) const {  // the first element of result k
    return (const char*)a.x + offset_of(a.size, a.x_stride, 0, a.kept, k) * bytes;
  }
};

// One result at a time. The innermost reduced dimension makes a line; a leaf is a part of one, or several short ones.
template <class A>
struct Row {
  using Acc = A;
  static constexpr int kWidest = 1;
  Source<Acc> s;
  int outer_end;  // dimensions [kept, outer_end) enumerate the lines
  int64_t line, stride, lines, cuts, lines_per_leaf, leaves, units, width = 1;
  const char* x = nullptr;
  Acc center = 0;

  explicit Row(const Source<Acc>& source) : s(source) {
    const Reduce& a = s.a;
    outer_end = a.kept + (a.reduced ? a.reduced - 1 : 0);
    line = a.reduced ? a.size[outer_end] : 1;
    stride = a.reduced ? a.x_stride[outer_end] : 1;
    lines = a.reduced_numel ? a.reduced_numel / line : 0;
    cuts = (line + kReduceLeaf - 1) / kReduceLeaf;
    lines_per_leaf = lines > 1 && line <= kReduceLeaf / 2 ? kReduceLeaf / line : 1;
    leaves = cuts > 1 ? lines * cuts : (lines + lines_per_leaf - 1) / lines_per_leaf;
    units = a.kept_numel;
  }
  int64_t place(int64_t unit) {
    x = s.at(unit);
    if (s.op.centered) center = ((const Acc*)s.a.center)[offset_of(s.a.size, s.a.y_stride, 0, s.a.kept, unit)];
    return unit;
  }
  const char* line_at(int64_t i, int64_t begin) const {
    return x + (offset_of(s.a.size, s.a.x_stride, s.a.kept, outer_end, i) + begin * stride) * s.bytes;
  }
  void run(Acc* acc, int64_t leaf) const {
    Acc staged[kReduceLeaf];
    const Acc* p = staged;
    int64_t n = 0, more = 0;
    if (lines_per_leaf > 1) {
      int64_t i = leaf * lines_per_leaf, end = i + lines_per_leaf < lines ? i + lines_per_leaf : lines;
      for (; i < end; ++i, n += line) s.stage(staged + n, line_at(i, 0), 1, 0, line, stride);
    } else {
      int64_t begin = leaf % cuts * kReduceLeaf;
      n = line - begin < kReduceLeaf ? line - begin : kReduceLeaf;
      const char* from = line_at(leaf / cuts, begin);
      if (s.direct) {
        p = (const Acc*)from;
        more = line - begin - n;
      } else {
        s.stage(staged, from, 1, 0, n, stride);
      }
    }
    s.op.fold_lines(acc, p, 1, n, n, more, &center);
  }
};

// Up to kReduceTile results beside each other. Narrow rows that follow each other without a gap are taken `group` at a
// time, as one wide row.
template <class A>
struct Columns {
  using Acc = A;
  static constexpr int kWidest = kReduceTile;
  Source<Acc> s;
  int64_t wide, column, row, run_length, tiles, group = 1, per_leaf, leaves, units, width = 0;
  const char* x = nullptr;
  Acc center[kReduceTile];

  explicit Columns(const Source<Acc>& source) : s(source) {
    const Reduce& a = s.a;
    int last = a.kept + a.reduced - 1;
    wide = a.size[a.kept - 1];
    column = a.x_stride[a.kept - 1];
    row = a.x_stride[last];
    run_length = a.size[last];
    tiles = (wide + kReduceTile - 1) / kReduceTile;
    if (a.reduced == 1 && row == wide && s.direct && !s.op.centered && wide <= kReduceTile / 4)
      group = kReduceTile / 2 / wide;
    per_leaf = kLeafRows * group;
    leaves = (a.reduced_numel + per_leaf - 1) / per_leaf;
    units = a.kept_numel / wide * tiles;
  }
  int64_t place(int64_t unit) {
    int64_t begin = unit % tiles * kReduceTile, k = unit / tiles * wide + begin;
    width = wide - begin < kReduceTile ? wide - begin : kReduceTile;
    x = s.at(k);
    if (s.op.centered) {
      int64_t at = offset_of(s.a.size, s.a.y_stride, 0, s.a.kept, k), step = s.a.y_stride[s.a.kept - 1];
      for (int64_t j = 0; j < width; ++j) center[j] = ((const Acc*)s.a.center)[at + j * step];
    }
    return k;
  }
  void fold(Acc* acc, const char* from, int64_t rows) const {
    if (s.direct) return s.op.fold_rows(acc, (const Acc*)from, rows, row, width, center);
    Acc staged[kStagedRows * kReduceTile];
    for (int64_t i = 0; i < rows; i += kStagedRows) {
      int64_t n = rows - i < kStagedRows ? rows - i : kStagedRows;
      s.stage(staged, from + i * row * s.bytes, n, row, width, column);
      s.op.fold_rows(acc, staged, n, width, width, center);
    }
  }
  void fold_groups(Acc* acc, const char* from, int64_t groups) const {
    Acc grouped[kReduceTile];
    for (int64_t j = 0; j < width * group; ++j) grouped[j] = s.op.start;
    s.op.fold_rows(grouped, (const Acc*)from, groups, width * group, width * group, center);
    for (int64_t g = 0; g < group; ++g) s.op.combine(acc, grouped + g * width, width);
  }
  void run(Acc* acc, int64_t leaf) const {
    const Reduce& a = s.a;
    int64_t i = leaf * per_leaf, end = i + per_leaf < a.reduced_numel ? i + per_leaf : a.reduced_numel;
    for (int64_t j = 0; j < width; ++j) acc[j] = s.op.start;
    if (group > 1 && end - i >= group) {
      fold_groups(acc, x + i * row * s.bytes, (end - i) / group);
      i += (end - i) / group * group;
    }
    while (i < end) {  // runs of rows that differ in the innermost reduced dimension alone
      int64_t n = run_length - i % run_length;
      if (n > end - i) n = end - i;
      fold(acc, x + offset_of(a.size, a.x_stride, a.kept, a.kept + a.reduced, i) * s.bytes, n);
      i += n;
    }
  }
};

template <class Leaf, class Acc>
void tree(const Leaf& leaf, Acc* acc, int64_t begin, int64_t end) {
  if (end - begin == 1) return leaf.run(acc, begin);
  if (end <= begin) {
    for (int64_t j = 0; j < leaf.width; ++j) acc[j] = leaf.s.op.start;
    return;
  }
  int64_t half = (int64_t)1 << (63 - __builtin_clzll((uint64_t)(end - begin - 1)));
  Acc right[Leaf::kWidest];
  tree(leaf, acc, begin, begin + half);
  tree(leaf, right, begin + half, end);
  leaf.s.op.combine(acc, right, leaf.width);
}

// ---- results ----

template <class T, class Acc>
WEFT_INLINE void write(const Reduce& a, int64_t k, const Acc* acc, int64_t n) {
  int64_t stride = a.kept ? a.y_stride[a.kept - 1] : 0;
  T* y = (T*)a.y + offset_of(a.size, a.y_stride, 0, a.kept, k);
  for (int64_t j = 0; j < n; ++j, y += stride) {
    if constexpr (is_half(dtype_of<T>))
      from_float(y, (float)((double)acc[j] * a.scale));
    else if constexpr (is_floating(dtype_of<T>))
      *y = (T)((double)acc[j] * a.scale);  // in double: the mean of equal numbers is that number
    else
      *y = (T)acc[j];
  }
}

template <class Acc>
void finish(const Reduce& a, int64_t k, const Acc* acc, int64_t n) {
  if constexpr (dtype_of<Acc> == DType::Float32) {
    if (a.y_dtype == DType::Float16) return write<float16>(a, k, acc, n);
    if (a.y_dtype == DType::BFloat16) return write<bfloat16>(a, k, acc, n);
    write<float>(a, k, acc, n);
  } else if constexpr (dtype_of<Acc> == DType::Float64) {
    write<double>(a, k, acc, n);
  } else {
    switch (size_of(a.y_dtype)) {
      case 1: return write<uint8_t>(a, k, acc, n);
      case 2: return write<int16_t>(a, k, acc, n);
      case 4: return write<int32_t>(a, k, acc, n);
      default: return write<int64_t>(a, k, acc, n);
    }
  }
}

// Results of one line each, whose elements are neighbours: a block of them at a time.
template <class Acc>
bool is_lines(const Reduce& a, const Source<Acc>& s) {
  return s.direct && a.kept == 1 && a.reduced == 1 && a.chunks <= 1 && a.reduced_numel <= kReduceLeaf && !s.op.centered;
}
template <class Acc>
void reduce_lines(const Reduce& a, const Source<Acc>& s) {
  constexpr int64_t block = 64;
  const int64_t n = a.reduced_numel, row = a.x_stride[0];
  parallel_ranges(a.kept_numel, kGrain / (n + 16), [&](int64_t begin, int64_t end) {
    Acc acc[block];
    for (int64_t k = begin; k < end; k += block) {
      const int64_t count = end - k < block ? end - k : block;
      s.op.fold_lines(acc, (const Acc*)a.x + k * row, count, row, n, row == n ? (end - k - count) * n : 0, nullptr);
      finish(a, k, acc, count);
    }
  });
}

template <class Leaf>
void reduce_leaves(const Reduce& a, const Leaf& shape) {
  using Acc = typename Leaf::Acc;
  if (a.chunks <= 1) {
    int64_t per_unit = a.kept_numel * a.reduced_numel / shape.units + 16;
    parallel_ranges(shape.units, kGrain / per_unit, [&](int64_t begin, int64_t end) {
      Leaf leaf = shape;
      Acc acc[Leaf::kWidest];
      for (int64_t unit = begin; unit < end; ++unit) {
        int64_t k = leaf.place(unit);
        tree(leaf, acc, 0, leaf.leaves);
        finish(a, k, acc, leaf.width);
      }
    });
    return;
  }
  Acc* partial = (Acc*)a.workspace;  // [chunks, kept_numel]
  parallel_ranges(shape.units * a.chunks, 1, [&](int64_t piece, int64_t) {
    Leaf leaf = shape;
    int64_t k = leaf.place(piece / a.chunks), chunk = piece % a.chunks;
    tree(leaf, partial + chunk * a.kept_numel + k, leaf.leaves * chunk / a.chunks,
         leaf.leaves * (chunk + 1) / a.chunks);
  });
  for (int64_t step = 1; step < a.chunks; step *= 2)
    for (int64_t c = 0; c + step < a.chunks; c += 2 * step)
      shape.s.op.combine(partial + c * a.kept_numel, partial + (c + step) * a.kept_numel, a.kept_numel);
  for (int64_t k = 0, inner = a.kept ? a.size[a.kept - 1] : 1; k < a.kept_numel; k += inner)
    finish(a, k, partial + k, inner);
}

template <class Acc>
void reduce_by(const Reduce& a, const Operation<Acc>& op, Stage<Acc> stage) {
  if (a.kept_numel == 0) return;
  bool columns = reduces_columns(a);
  int inner = columns ? a.kept - 1 : a.kept + a.reduced - 1;
  bool neighbours = inner >= 0 && a.reduced > 0 && a.x_stride[inner] == 1;
  bool same = a.dtype == dtype_of<Acc> && !asks_nonzero(a.op);
  Source<Acc> source{a, op, stage, same && neighbours, size_of(a.dtype)};
  if (columns)
    reduce_leaves(a, Columns<Acc>(source));
  else if (is_lines(a, source))
    reduce_lines(a, source);
  else
    reduce_leaves(a, Row<Acc>(source));
}

template <class Acc>
void reduce_in(const Reduce& a) {
  Stage<Acc> stage = stage_of<Acc>(a.dtype);
  switch (a.op) {
    case ReduceOp::Sum: return reduce_by(a, operation<Sum<Acc>>, stage);
    case ReduceOp::Prod: return reduce_by(a, operation<Prod<Acc>>, stage);
    case ReduceOp::Max: return reduce_by(a, operation<Max<Acc>>, stage);
    case ReduceOp::Min: return reduce_by(a, operation<Min<Acc>>, stage);
    default: break;
  }
  if constexpr (is_floating(dtype_of<Acc>)) {
    if (a.op == ReduceOp::AbsSum) return reduce_by(a, operation<AbsSum<Acc>>, stage);
    if (a.op == ReduceOp::SquareSum) return reduce_by(a, operation<SquareSum<Acc>>, stage);
    if (a.op == ReduceOp::CenteredSquareSum) return reduce_by(a, operation<CenteredSquareSum<Acc>>, stage);
  }
}

void reduce(const Reduce& a) {
  if (a.op == ReduceOp::CountNonzero) return reduce_by(a, operation<Sum<int64_t>>, stage_nonzero(a.dtype));
  if (a.op == ReduceOp::Any) return reduce_by(a, operation<Any<int64_t>>, stage_nonzero(a.dtype));
  if (a.op == ReduceOp::All) return reduce_by(a, operation<All<int64_t>>, stage_nonzero(a.dtype));
  if (a.dtype == DType::Float64) return reduce_in<double>(a);
  if (is_floating(a.dtype)) return reduce_in<float>(a);
  reduce_in<int64_t>(a);
}

}  // namespace

void fill(ReduceKernels& k) { k.reduce = reduce; }

}  // namespace weft::WEFT_ISA
