// How a pass over planes is cut into pieces: by the shape alone, so that the sums are the same for any number of
// threads.
#pragma once

#include "kernels/conv/planes.h"
#include "kernels/conv/tile.h"

namespace weft::WEFT_ISA::conv {

struct Cut {
  int64_t block_depths, block_rows, block_cols;  // grid positions of a block
  int64_t depth_blocks, row_blocks, col_blocks;  //
  int64_t m_block, m_blocks;                     // output channels of a piece
  int64_t items, items_per_piece, pieces;        // an item is one group of one image
  bool columns;                                  // copy the shifted views out, where planes would be mostly padding
  int64_t max_k;                                 // longest sum
  int64_t plane_room, column_room;               // elements of scratch
};

template <class T>
Cut cut_pass(const Pass& p) {
  constexpr int64_t L = kLanes<T>, kBudget = 512 * 1024 / sizeof(T);  // half of a second-level cache
  const Axis &depths = p.axes.depths, &rows = p.axes.rows, &cols = p.axes.cols;
  Cut c{};
  c.max_k = p.channels * most_taps(depths) * most_taps(rows) * most_taps(cols);

  // Columns cost about as much as 24 multiply-adds per element that they hold.
  const int64_t sample = smaller(rows.grid, 8), width = in_place(p.axes) ? cols.source() : cols.grid + cols.reach;
  const int64_t shifted = divide_up((sample - 1) * width + cols.grid, L), dense = divide_up(sample * cols.grid, L);
  c.columns = p.m * (shifted - dense) > 24 * dense && c.max_k * cols.grid <= 4 * kBudget;

  // A depth of outputs reads 1 + reach depths of the source. Several depths share a block only with whole planes.
  const int64_t stacks = p.channels * p.axes.slots(), planes = stacks * (1 + depths.reach);
  const int64_t per_row = planes * width + (c.columns ? c.max_k * cols.grid : 0);
  c.block_cols = cols.grid;
  if (!c.columns && cols.grid > 512 && per_row * (1 + rows.reach) > kBudget)
    c.block_cols = larger(256, smaller(cols.grid, kBudget / (planes * (1 + rows.reach))));
  c.block_rows = c.block_cols < cols.grid ? 1 : smaller(rows.grid, larger(1, kBudget / per_row - rows.reach));
  c.block_depths = 1;
  if (c.block_rows == rows.grid)
    c.block_depths =
        smaller(depths.grid, larger(1, kBudget / (stacks * width * (rows.grid + rows.reach)) - depths.reach));

  // Pieces of about a million multiply-adds, up to 32; blocks of some tiles. Channels are divided only when there would
  // be fewer than 8 pieces, because each piece makes its own planes.
  c.items = p.images * p.groups;
  const double per_item = (double)p.m * c.max_k * p.axes.grid() * p.axes.phases();
  const double wanted = c.items * per_item / (1 << 20);
  const int64_t pieces = wanted < 1 ? 1 : wanted > 32 ? 32 : (int64_t)wanted;
  c.items_per_piece = larger(1, c.items / pieces);
  const int64_t per_item_pieces = divide_up(pieces, c.items);
  c.m_block = p.m;
  if (per_item_pieces > 1) {
    c.block_depths = smaller(c.block_depths, divide_up(depths.grid, per_item_pieces));
    const int64_t per_depth_pieces = divide_up(per_item_pieces, divide_up(depths.grid, c.block_depths));
    const int64_t least = divide_up(4 * kTile<T>, cols.grid);
    c.block_rows = smaller(c.block_rows, larger(least, divide_up(rows.grid, per_depth_pieces)));
    if (rows.grid == 1 && !c.columns)
      c.block_cols = smaller(c.block_cols, larger(256, divide_up(cols.grid, per_depth_pieces)));
  }
  c.depth_blocks = divide_up(depths.grid, c.block_depths);
  c.row_blocks = divide_up(rows.grid, c.block_rows);
  c.col_blocks = divide_up(cols.grid, c.block_cols);
  const int64_t blocks = c.depth_blocks * c.row_blocks * c.col_blocks;
  const int64_t m_pieces = smaller(pieces, 8) / (c.items * blocks);
  if (m_pieces > 1) c.m_block = smaller(p.m, divide_up(divide_up(p.m, m_pieces), kRows) * kRows);
  c.m_blocks = divide_up(p.m, c.m_block);
  c.pieces = divide_up(c.items, c.items_per_piece) * c.m_blocks * blocks;

  const Block largest{{0, c.block_depths}, {0, c.block_rows}, {0, c.block_cols}};
  c.plane_room = in_place(p.axes) ? 0 : stacks * stack_room(p.axes, largest) + kLongTile<T>;
  c.column_room = c.columns ? c.max_k * divide_up(c.block_rows * c.block_cols, L) * L : 0;
  return c;
}

// Scratch of one thread: planes, columns, offsets.
template <class T>
WEFT_INLINE int64_t scratch_bytes(const Cut& c) {
  int64_t bytes = (c.plane_room + c.column_room) * (int64_t)sizeof(T) + c.max_k * (int64_t)sizeof(int64_t);
  return divide_up(bytes, 64) * 64;
}

}  // namespace weft::WEFT_ISA::conv
