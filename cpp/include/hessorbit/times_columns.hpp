// The product of a matrix with a few columns, as subspaces take it again and again, and what solves triangular systems.
//
// Such a product waits for the matrix, so each entry is read once, from where it lies. The columns come as rows of
// `column_block` numbers: an entry times such a row is one instruction or two, and the rows stay in the first caches.
#pragma once

#include "kernel/range.hpp"
#include "kernel/team.hpp"
#include "kernel/unaligned.hpp"

#include <algorithm>

namespace hessorbit {

inline constexpr Index column_block = 8;

namespace detail {

inline constexpr int row_vectors = column_block / lane_count;

// Rows of a matrix that are read side by side.
inline constexpr Index row_tile = lane_count == 8 ? 8 : 4;

// out (rows, 8) = matrix (rows, n) in (n, 8)
template <int rows>
[[gnu::always_inline]] inline void times_columns(const double* const* matrix, Index n, const double* in, double* out) {
    Doubles sum[rows][row_vectors] = {};
    for (Index j = 0; j < n; ++j) {
        Doubles x[row_vectors];
        for (int v = 0; v < row_vectors; ++v) x[v] = load(in + j * column_block + v * lane_count);
#pragma GCC unroll 8
        for (int r = 0; r < rows; ++r)
#pragma GCC unroll 4
            for (int v = 0; v < row_vectors; ++v) sum[r][v] += matrix[r][j] * x[v];
    }
    for (int r = 0; r < rows; ++r)
        for (int v = 0; v < row_vectors; ++v) store(out + r * column_block + v * lane_count, sum[r][v]);
}

// out (n, 8) −= matrixᵀ in (rows, 8), for a matrix (rows, n)
template <int rows>
[[gnu::always_inline]] inline void subtract_transposed(const double* const* matrix, Index n, const double* in, double* out) {
    Doubles x[rows][row_vectors];
    for (int r = 0; r < rows; ++r)
        for (int v = 0; v < row_vectors; ++v) x[r][v] = load(in + r * column_block + v * lane_count);
    for (Index j = 0; j < n; ++j) {
        double* const at = out + j * column_block;
        Doubles sum[row_vectors];
        for (int v = 0; v < row_vectors; ++v) sum[v] = load(at + v * lane_count);
#pragma GCC unroll 8
        for (int r = 0; r < rows; ++r)
#pragma GCC unroll 4
            for (int v = 0; v < row_vectors; ++v) sum[v] -= matrix[r][j] * x[r][v];
        for (int v = 0; v < row_vectors; ++v) store(at + v * lane_count, sum[v]);
    }
}

}  // namespace detail

// A part of the solution of L x = b in place, b (n, 8) row-major, or of Lᵀ x = b: the columns of L that `columns` names,
// after those before it, or behind it. column(j) is column j of L, unit lower triangular, from row 0 on.
template <bool transposed, class Column>
void solve_unit_lower(const Column& column, Range columns, Index n, double* b) {
    const auto tile = [&]<int count>(Index k) {
        const double* l[count];
        for (int r = 0; r < count; ++r) l[r] = column(k + r);
        const auto within = [&](int i, int j) {
            for (Index c = 0; c < column_block; ++c)
                b[(k + i) * column_block + c] -= l[std::min(i, j)][k + std::max(i, j)] * b[(k + j) * column_block + c];
        };
        const double* below[count];
        for (int r = 0; r < count; ++r) below[r] = l[r] + k + count;
        double* const rest = b + (k + count) * column_block;
        if (transposed) {
            double sum[count * column_block];
            detail::times_columns<count>(below, n - k - count, rest, sum);
            for (Index c = 0; c < count * column_block; ++c) b[k * column_block + c] -= sum[c];
            for (int i = count - 1; i >= 0; --i)
                for (int j = i + 1; j < count; ++j) within(i, j);
        } else {
            for (int i = 0; i < count; ++i)
                for (int j = 0; j < i; ++j) within(i, j);
            detail::subtract_transposed<count>(below, n - k - count, b + k * column_block, rest);
        }
    };
    constexpr Index width = detail::row_tile;
    const Index whole = columns.begin + columns.size() / width * width;
    if (transposed) {
        for (Index k = columns.end - 1; k >= whole; --k) tile.template operator()<1>(k);
        for (Index k = whole - width; k >= columns.begin; k -= width) tile.template operator()<width>(k);
    } else {
        for (Index k = columns.begin; k < whole; k += width) tile.template operator()<width>(k);
        for (Index k = whole; k < columns.end; ++k) tile.template operator()<1>(k);
    }
}

// out (n, 8) = matrix (n, n) in (n, 8), all row-major; not aliasing.
inline void times_columns(const double* matrix, Index n, const double* in, double* out, int threads) {
    constexpr Index part_rows = 64, tile = detail::row_tile;
    share_parts(threads, (n + part_rows - 1) / part_rows, [&](Share& share) {
        for (const Part part : share) {
            const Index end = std::min(n, (part.index + 1) * part_rows);
            const double* row[tile];
            Index i = part.index * part_rows;
            for (; i + tile <= end; i += tile) {
                for (Index r = 0; r < tile; ++r) row[r] = matrix + (i + r) * n;
                detail::times_columns<tile>(row, n, in, out + i * column_block);
            }
            for (; i < end; ++i) {
                row[0] = matrix + i * n;
                detail::times_columns<1>(row, n, in, out + i * column_block);
            }
        }
    });
}

}  // namespace hessorbit
