// Rows of samples, and the two products everything else is built from.
//
// Inside the core every per-sample quantity (one preactivation, one entry of a derivative) is a row: n numbers, one
// for each sample of a chunk. SIMD lanes run along samples, so every formula is written for one sample and no shape
// of network wastes a lane. Two products over rows carry all the arithmetic:
//
//     combine    out_i(n)  = Σ_j M_ij in_j(n)           a matrix acts on rows        (forward, backward)
//     contract   out_ij   += Σ_n left_i(n) right_j(n)   samples are summed away      (gradient, Hessian)
//
// Both add in an order fixed by the shapes alone, so results do not depend on threads or on alignment.
#pragma once

#include <Eigen/Core>
#include <algorithm>
#include <cstddef>
#include <cstring>
#include <vector>

namespace hessorbit {

using Index = std::ptrdiff_t;

// Rows are padded to a multiple of this many samples, a multiple of every lane count below.
inline constexpr Index row_multiple = 8;

inline Index padded(Index n) { return (n + row_multiple - 1) / row_multiple * row_multiple; }

// Distance between rows of n samples: an odd multiple, so that rows do not compete for the same sets of a cache.
inline Index row_stride(Index n) { return padded(n) | row_multiple; }

// The SIMD vector of T, its lane count, and the tile of `contract` that fills the registers.
template <class T>
struct Lanes {
    using Vector = T;
    static constexpr int count = 1, left = 3, right = 4;
};

#if defined(__GNUC__)
template <>
struct Lanes<double> {
#if defined(__AVX512F__)
    static constexpr int count = 8, left = 6, right = 4;
#elif defined(__AVX__)
    static constexpr int count = 4, left = 3, right = 4;
#else
    static constexpr int count = 2, left = 3, right = 4;
#endif
    using Vector = double __attribute__((vector_size(8 * count), may_alias));
};
#endif

template <class T>
using Matrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

// Storage for rows: one row of samples for each row of the array; columns a multiple of row_multiple.
template <class T>
using Rows = Eigen::Array<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

// One row, or a piece of one that starts at a multiple of row_multiple, as an Eigen expression.
template <class T>
using Row = Eigen::Map<Eigen::Array<T, Eigen::Dynamic, 1>, Eigen::AlignedMax>;

// Rows seen from a column onwards. Does not own.
template <class T>
struct RowsView {
    T* data = nullptr;
    Index stride = 0;

    RowsView() = default;
    RowsView(T* first, Index row_stride) : data(first), stride(row_stride) {}
    RowsView(Rows<T>& rows) : data(rows.data()), stride(rows.cols()) {}

    operator RowsView<const T>() const { return {data, stride}; }
    T* row(Index i) const { return data + i * stride; }
    RowsView from_row(Index i) const { return {row(i), stride}; }
    RowsView from_column(Index column) const { return {data + column, stride}; }
    Row<T> array(Index i, Index n) const { return Row<T>(row(i), n); }
};

// A range of samples of the chunk; begin and size are multiples of row_multiple.
struct Columns {
    Index begin, size;
};

namespace detail {

template <class T>
using Vector = typename Lanes<T>::Vector;

template <class T>
const Vector<T>& lanes(const T* p) { return *reinterpret_cast<const Vector<T>*>(p); }

template <class T>
Vector<T>& lanes(T* p) { return *reinterpret_cast<Vector<T>*>(p); }

// out[i] += v[i] for every lane i, at any address.
template <class T>
[[gnu::always_inline]] inline void add_lanes(T* out, Vector<T> v) {
    Vector<T> sum;
    std::memcpy(&sum, out, sizeof sum);
    sum += v;
    std::memcpy(out, &sum, sizeof sum);
}

// Sums the lanes of `count` vectors at once: lane i of the result is the sum over v[i].
// A tree of interleavings: each level halves the number of vectors and doubles the partial sums in a lane.
template <class T>
[[gnu::always_inline]] inline Vector<T> sum_lanes(const Vector<T>* v) {
    constexpr int count = Lanes<T>::count;
    if constexpr (count == 1) {
        return v[0];
    } else if constexpr (count == 2) {
        return __builtin_shufflevector(v[0], v[1], 0, 2) + __builtin_shufflevector(v[0], v[1], 1, 3);
    } else if constexpr (count == 4) {
        const auto pairs = [](Vector<T> x, Vector<T> y) {
            return __builtin_shufflevector(x, y, 0, 4, 2, 6) + __builtin_shufflevector(x, y, 1, 5, 3, 7);
        };
        const Vector<T> x = pairs(v[0], v[1]), y = pairs(v[2], v[3]);
        return __builtin_shufflevector(x, y, 0, 1, 4, 5) + __builtin_shufflevector(x, y, 2, 3, 6, 7);
    } else {
        const auto pairs = [](Vector<T> x, Vector<T> y) {
            return __builtin_shufflevector(x, y, 0, 8, 2, 10, 4, 12, 6, 14) +
                   __builtin_shufflevector(x, y, 1, 9, 3, 11, 5, 13, 7, 15);
        };
        const auto quads = [&](const Vector<T>* w) {
            const Vector<T> x = pairs(w[0], w[1]), y = pairs(w[2], w[3]);
            return __builtin_shufflevector(x, y, 0, 1, 8, 9, 4, 5, 12, 13) +
                   __builtin_shufflevector(x, y, 2, 3, 10, 11, 6, 7, 14, 15);
        };
        const Vector<T> x = quads(v), y = quads(v + 4);
        return __builtin_shufflevector(x, y, 0, 1, 2, 3, 8, 9, 10, 11) +
               __builtin_shufflevector(x, y, 4, 5, 6, 7, 12, 13, 14, 15);
    }
}

// One register tile of `contract`: out[a * right + b] += Σ_n left_a(n) right_b(n), and up to row_multiple − 1 numbers
// after these += 0.
template <class T, int left_count>
void contract_tile(const T* const* left, const T* const* right, Index n, T* out) {
    constexpr int right_count = Lanes<T>::right, lane_count = Lanes<T>::count;
    constexpr int total = left_count * right_count;
    constexpr int groups = (total + lane_count - 1) / lane_count;
    Vector<T> sum[groups * lane_count] = {};
    for (Index k = 0; k < n; k += lane_count) {
        Vector<T> r[right_count];
#pragma GCC unroll 8
        for (int b = 0; b < right_count; ++b) r[b] = lanes(right[b] + k);
#pragma GCC unroll 8
        for (int a = 0; a < left_count; ++a) {
            const Vector<T> l = lanes(left[a] + k);
#pragma GCC unroll 8
            for (int b = 0; b < right_count; ++b) sum[a * right_count + b] += l * r[b];
        }
    }
#pragma GCC unroll 8
    for (int g = 0; g < groups; ++g) add_lanes<T>(out + g * lane_count, sum_lanes<T>(sum + g * lane_count));
}

template <class T, int left_count = Lanes<T>::left>
void contract_tile(int rows, const T* const* left, const T* const* right, Index n, T* out) {
    if (rows == left_count) return contract_tile<T, left_count>(left, right, n, out);
    if constexpr (left_count > 1) contract_tile<T, left_count - 1>(rows, left, right, n, out);
}

}  // namespace detail

// out[a * tile + b] += Σ_n left_a(n) right_b(n) for a < left_count, b < tile = Lanes<T>::right, and up to
// row_multiple − 1 numbers after these += 0; the same `columns` times, with right + tile and out + step the next time.
// Left rows come from the L2 cache, and are there for all columns.
template <class T>
void contract_columns(const T* const* left, Index left_count, const T* const* right, Index columns, Index n, T* out,
                      Index step) {
    constexpr int tile_left = Lanes<T>::left, tile = Lanes<T>::right;
    for (Index a = 0; a < left_count; a += tile_left) {
        const int rows = static_cast<int>(std::min<Index>(tile_left, left_count - a));
        for (Index c = 0; c < columns; ++c)
            detail::contract_tile<T>(rows, left + a, right + c * tile, n, out + c * step + a * tile);
    }
}

// Calls add(a, b, Σ_n left_a(n) right_b(n)) for a < left_count, b < right_count.
// left (left_count, n); right (right_count, n).
template <class T, class Add>
void contract(RowsView<const T> left, Index left_count, RowsView<const T> right, Index right_count, Index n, Add add) {
    constexpr int tile_left = Lanes<T>::left, tile_right = Lanes<T>::right;
    alignas(64) T tile[tile_left * tile_right + row_multiple];
    const T *l[tile_left], *r[tile_right];
    for (Index b = 0; b < right_count; b += tile_right) {
        const Index columns = std::min<Index>(tile_right, right_count - b);
        for (Index j = 0; j < tile_right; ++j) r[j] = right.row(b + std::min(j, columns - 1));
        for (Index a = 0; a < left_count; a += tile_left) {
            const Index rows = std::min<Index>(tile_left, left_count - a);
            for (Index i = 0; i < rows; ++i) l[i] = left.row(a + i);
            std::fill_n(tile, std::size(tile), T(0));
            detail::contract_tile<T>(static_cast<int>(rows), l, r, n, tile);
            for (Index i = 0; i < rows; ++i)
                for (Index j = 0; j < columns; ++j) add(a + i, b + j, tile[i * tile_right + j]);
        }
    }
}

// Calls store(i, column, Σ_j M_ij in_j(n)) for every i < out_count, with one SIMD vector of samples from `column` on.
// M (out_count, in_count) with row stride `matrix_stride`; in (in_count, n).
template <class T, class Store>
void combine_each(const T* matrix, Index matrix_stride, Index out_count, Index in_count, RowsView<const T> in, Index n,
                  Store store) {
    using V = detail::Vector<T>;
    constexpr int lane_count = Lanes<T>::count;
    const auto tile = [=]<int rows, int vectors>(Index i, Index k) __attribute__((always_inline)) {
        const T *m = matrix + i * matrix_stride, *from = in.data + k;
        V sum[rows][vectors];
        const auto add = [&](bool first) __attribute__((always_inline)) {
            V x[vectors];
#pragma GCC unroll 8
            for (int v = 0; v < vectors; ++v) x[v] = detail::lanes(from + v * lane_count);
#pragma GCC unroll 8
            for (int r = 0; r < rows; ++r) {
                const T c = m[r * matrix_stride];
#pragma GCC unroll 8
                for (int v = 0; v < vectors; ++v) sum[r][v] = first ? c * x[v] : sum[r][v] + c * x[v];
            }
        };
        add(true);
        for (Index j = 1; j < in_count; ++j) {
            ++m, from += in.stride;
            add(false);
        }
#pragma GCC unroll 8
        for (int r = 0; r < rows; ++r)
#pragma GCC unroll 8
            for (int v = 0; v < vectors; ++v) store(i + r, k + v * lane_count, sum[r][v]);
    };
    // As many sums at once as hide the latency of an addition.
    const auto strip = [=]<int vectors>(Index k) __attribute__((always_inline)) {
        Index i = 0;
        for (; i + 4 <= out_count; i += 4) tile.template operator()<4, vectors>(i, k);
        for (; i < out_count; ++i) tile.template operator()<1, vectors>(i, k);
    };
    Index k = 0;
    if (out_count < 4)
        for (; k + 8 * lane_count <= n; k += 8 * lane_count) strip.template operator()<8>(k);
    if constexpr (lane_count == 8)
        for (; k + 4 * lane_count <= n; k += 4 * lane_count) strip.template operator()<4>(k);
    for (; k + 2 * lane_count <= n; k += 2 * lane_count) strip.template operator()<2>(k);
    for (; k < n; k += lane_count) strip.template operator()<1>(k);
}

// out_i(n) = Σ_j M_ij in_j(n), or += when accumulate. out (out_count, n), not aliasing in.
template <class T, bool accumulate = false>
void combine(const T* matrix, Index matrix_stride, Index out_count, Index in_count, RowsView<const T> in,
             RowsView<T> out, Index n) {
    combine_each<T>(matrix, matrix_stride, out_count, in_count, in, n, [=](Index i, Index column, const auto& sum) {
        auto& target = detail::lanes(out.row(i) + column);
        if constexpr (accumulate) target += sum;
        else target = sum;
    });
}

// out(n) = Σ_k a_k(n) b_k(n). a, b (count, n), out (n), not aliasing them.
template <class T>
void multiply_rows(RowsView<const T> a, RowsView<const T> b, Index count, Index n, T* out) {
    for (Index c = 0; c < n; c += Lanes<T>::count) {
        const T *left = a.data + c, *right = b.data + c;
        detail::Vector<T> sum = detail::lanes(left) * detail::lanes(right);
        for (Index k = 1; k < count; ++k) {
            left += a.stride, right += b.stride;
            sum += detail::lanes(left) * detail::lanes(right);
        }
        detail::lanes(out + c) = sum;
    }
}

// Sum of a row, in a fixed order.
template <class T>
T sum_row(const T* row, Index n) {
    detail::Vector<T> sum[Lanes<T>::count] = {};
    for (Index k = 0; k < n; k += Lanes<T>::count) sum[0] += detail::lanes(row + k);
    alignas(64) T out[row_multiple];
    detail::lanes(out) = detail::sum_lanes<T>(sum);
    return out[0];
}

}  // namespace hessorbit
