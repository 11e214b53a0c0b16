// Matrices of one SIMD vector of samples: each entry is a vector, one number for each sample. Small ones stay in the L1
// cache, and what is made of them has no need of rows of a whole chunk. Two products carry all the arithmetic:
//
//     multiply_each   sum(r, i)   = Σ_j G_rj v_ij       the same matrix v for all samples
//     gram_each       sum(u, w)   = Σ_r G_ru G_rw       w ≤ u
#pragma once

#include "interruption.hpp"
#include "rows.hpp"

namespace hessorbit {

template <class T>
class LaneMatrix {
public:
    using Entry = detail::Vector<T>;
    static constexpr Index tile = 4;  // columns are filled up to a multiple of this with zeros

    LaneMatrix(Index rows, Index columns)
        : stride_((columns + tile - 1) / tile * tile),
          entries_(Rows<T>::Zero(std::max<Index>(rows, 1) * stride_, Lanes<T>::count)) {}

    // Rows are taken once before a loop: for all a compiler knows, their entries may be what this object holds.
    Entry* row(Index i) { return reinterpret_cast<Entry*>(entries_.data()) + i * stride_; }
    Index stride() const { return stride_; }
    Entry& operator()(Index i, Index j) { return row(i)[j]; }
    T& lane(Index i, Index j, Index sample) { return entries_.data()[(i * stride_ + j) * Lanes<T>::count + sample]; }

private:
    Index stride_;
    Rows<T> entries_;
};

// Number of pairs (u, w), w ≤ u, before (u, 0): where (u, w) stands in a triangle stored row by row is this plus w.
inline Index triangle(Index u) { return u * (u + 1) / 2; }

namespace detail {

// The tile of `multiply_each`: its sums, a row of v and a column of G fill the registers.
template <class T>
inline constexpr int gathered_rows = Lanes<T>::count == 8 ? 4 : 3;
template <class T>
inline constexpr int gathered_columns = Lanes<T>::count == 8 ? 5 : 4;

// The sums of `count` rows of G with a tile of rows of v, given to finish(b, sum of each row) for b < columns.
template <class T, int count, class Finish>
[[gnu::always_inline]] inline void multiply_tile(const Vector<T>* const* g, const T* const* v, Index begin, Index end,
                                                 Index columns, const Finish& finish) {
    constexpr int tile = gathered_columns<T>;
    Vector<T> sum[tile][count] = {};
    for (Index j = begin; j < end; ++j) {
        Vector<T> x[count];
#pragma GCC unroll 8
        for (int a = 0; a < count; ++a) x[a] = g[a][j];
#pragma GCC unroll 8
        for (int b = 0; b < tile; ++b) {
            const T c = v[b][j];
#pragma GCC unroll 8
            for (int a = 0; a < count; ++a) sum[b][a] += c * x[a];
        }
    }
#pragma GCC unroll 8
    for (int b = 0; b < tile; ++b)
        if (b < columns) finish(b, sum[b]);
}

// A square of `gram_each` from rows of G whose columns begin at a and b; only w ≤ u if it lies on the diagonal.
template <class T, bool diagonal>
void gram_tile(const Vector<T>* a, const Vector<T>* b, Index rows, Index stride, Vector<T> (&sum)[4][4]) {
    Vector<T> local[4][4] = {};
    for (Index r = 0; r < rows; ++r, a += stride, b += stride)
#pragma GCC unroll 4
        for (int i = 0; i < 4; ++i)
#pragma GCC unroll 4
            for (int j = 0; j < (diagonal ? i + 1 : 4); ++j) local[i][j] += a[i] * b[j];
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i)
#pragma GCC unroll 4
        for (int j = 0; j < (diagonal ? i + 1 : 4); ++j) sum[i][j] = local[i][j];
}

}  // namespace detail

// What is known of the sums of `multiply_each`: G_rj = 0 for j < r; or only those with i ≤ r are wanted.
enum class Triangle { none, upper, lower };

// Calls store(r, i, sums) with count sums, of rows r … r + count − 1 of G, where sum(r, i) = Σ_j G_rj v_ij; count is a
// template argument of store. G has so many rows.
template <class T, class Store>
void multiply_each(LaneMatrix<T>& g, Index rows, Triangle shape, const Matrix<T>& v, const Store& store) {
    constexpr int tile_rows = detail::gathered_rows<T>, tile = detail::gathered_columns<T>;
    const auto strip = [&]<int count>(Index r) {
        const detail::Vector<T>* x[count];
        const T* c[tile];
        for (int a = 0; a < count; ++a) x[a] = g.row(r + a);
        const Index end = shape == Triangle::lower ? std::min<Index>(r + count, v.rows()) : v.rows();
        for (Index i = 0; i < end; i += tile) {
            const Index columns = std::min<Index>(tile, end - i);
            for (Index b = 0; b < tile; ++b) c[b] = v.data() + (i + std::min(b, columns - 1)) * v.cols();
            const auto finish = [&](int b, const detail::Vector<T>(&sum)[count]) __attribute__((always_inline)) {
                store.template operator()<count>(r, i + b, sum);
            };
            detail::multiply_tile<T, count>(x, c, shape == Triangle::upper ? r : 0, v.cols(), columns, finish);
        }
    };
    Index r = 0;
    for (; r + tile_rows <= rows; r += tile_rows) {
        if (v.size() > 10000) stop_if_interrupted();
        strip.template operator()<tile_rows>(r);
    }
    if constexpr (tile_rows > 3)
        if (rows - r == 3) return strip.template operator()<3>(r);
    if (rows - r == 2) return strip.template operator()<2>(r);
    if (rows - r == 1) strip.template operator()<1>(r);
}

// Calls add(u, w, Σ_r G_ru G_rw) for w ≤ u < width, with so many rows of G.
template <class T, class Add>
void gram_each(LaneMatrix<T>& g, Index rows, Index width, const Add& add) {
    constexpr Index tile = LaneMatrix<T>::tile;
    for (Index u = 0; u < width; u += tile)
        for (Index w = 0; w <= u; w += tile) {
            detail::Vector<T> sum[tile][tile];
            const detail::Vector<T> *const a = g.row(0) + u, *const b = g.row(0) + w;
            if (u == w) detail::gram_tile<T, true>(a, b, rows, g.stride(), sum);
            else detail::gram_tile<T, false>(a, b, rows, g.stride(), sum);
            for (Index i = 0; i < std::min(tile, width - u); ++i)
                for (Index j = 0; j < (u == w ? i + 1 : tile); ++j) add(u + i, w + j, sum[i][j]);
        }
}

}  // namespace hessorbit
