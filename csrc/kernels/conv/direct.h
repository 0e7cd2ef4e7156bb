// Forward and backward by input, as one pass over planes: for each block of pixels and each phase, a product of the
// filter matrix with the shifted views that the offset table names.
#pragma once

#include "base/threads.h"
#include "kernels/conv/cut.h"
#include "kernels/conv/product.h"

namespace weft::WEFT_ISA::conv {

template <class T>
struct PassArgs {
  T* out;
  const T* source;
  const T* bias;
  bool relu;
};

// What a piece computes: channels m0 … of the items [first, last), in a block.
struct Piece {
  Block block;
  int64_t m0, m, first, last;
};

WEFT_INLINE Range part(int64_t index, int64_t size, int64_t n) {
  return {index * size, smaller(n, (index + 1) * size)};
}

WEFT_INLINE Piece piece_at(const Pass& p, const Cut& c, int64_t i) {
  const Range cols = part(i % c.col_blocks, c.block_cols, p.axes.cols.grid);
  i /= c.col_blocks;
  const Range rows = part(i % c.row_blocks, c.block_rows, p.axes.rows.grid);
  i /= c.row_blocks;
  const Range depths = part(i % c.depth_blocks, c.block_depths, p.axes.depths.grid);
  i /= c.depth_blocks;
  const Range m = part(i % c.m_blocks, c.m_block, p.m), items = part(i / c.m_blocks, c.items_per_piece, c.items);
  return {{depths, rows, cols}, m.begin, m.size(), items.begin, items.end};
}

// One phase of one item in a block; `matrix` is the filter matrix [m, k] of the phase, from channel m0 on.
template <class T>
void run_phase(const Pass& p, const Cut& c, const PassArgs<T>& a, const Piece& piece, int64_t item, const Phase& phase,
               const Planes<T>& planes, bool padded, const T* matrix, int64_t* offset, T* columns) {
  const Axis &depths = p.axes.depths, &rows = p.axes.rows, &cols = p.axes.cols;
  const Block& block = piece.block;
  auto within = [](Range r, Range limit) { return Range{larger(r.begin, limit.begin), smaller(r.end, limit.end)}; };
  const Range ds = within(depths.positions(phase.depth), block.depths);
  const Range rs = within(rows.positions(phase.row), block.rows), cs = within(cols.positions(phase.col), block.cols);
  if (rs.size() == 0 || cs.size() == 0) return;
  const int64_t row = rs.begin * rows.output_step() + rows.output_start(phase.row);
  const int64_t col = cs.begin * cols.output_step() + cols.output_start(phase.col);
  const int64_t volume = p.axes.outputs(), plane = rows.outputs() * cols.outputs(), group = item % p.groups;
  for (int64_t z = ds.begin; z < ds.end; ++z) {
    const int64_t k = make_offsets(offset, planes, p.channels, p.axes, phase);
    const T* b = planes.data + (z - block.depths.begin) * planes.plane + (rs.begin - block.rows.begin) * planes.width +
                 (cs.begin - block.cols.begin);
    int64_t width = planes.width;
    if (c.columns) {
      make_columns(columns, offset, k, b, width, rs.size(), cs.size());
      b = columns;
      width = cs.size();
    }
    const int64_t depth = z * depths.output_step() + depths.output_start(phase.depth);
    multiply(Product<T>{matrix + piece.m0 * k, k, piece.m, b, offset, c.columns || padded, width, rs.size(), cs.size(),
                        a.bias ? a.bias + group * p.m + piece.m0 : nullptr, a.relu,
                        a.out + (item * p.m + piece.m0) * volume + depth * plane + row * cols.outputs() + col, volume,
                        rows.output_step() * cols.outputs(), cols.output_step()});
  }
}

// `matrix(group, phase)` is the filter matrix [m, k] of that phase.
template <class T, class Matrix>
void run_pass(const Pass& p, const Cut& c, const PassArgs<T>& a, char* scratch, int workers, const Matrix& matrix) {
  const int64_t bytes = scratch_bytes<T>(c), volume = p.axes.source();
  parallel(
      c.pieces,
      [&](int64_t index, int worker) {
        int64_t* offset = (int64_t*)(scratch + worker * bytes);
        T* room = (T*)(offset + c.max_k);
        const Piece piece = piece_at(p, c, index);
        for (int64_t item = piece.first; item < piece.last; ++item) {
          Planes<T> planes = make_planes(room, a.source + item * p.channels * volume, p.channels, p.axes, piece.block);
          for (int64_t h = 0; h < p.axes.depths.phases(); ++h)
            for (int64_t i = 0; i < p.axes.rows.phases(); ++i)
              for (int64_t j = 0; j < p.axes.cols.phases(); ++j)
                run_phase(p, c, a, piece, item, Phase{h, i, j}, planes, planes.data == room,
                          matrix(item % p.groups, Phase{h, i, j}), offset, room + c.plane_room);
        }
      },
      workers);
}

}  // namespace weft::WEFT_ISA::conv
