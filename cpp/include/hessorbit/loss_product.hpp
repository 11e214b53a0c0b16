// M x for the samples of a chunk, M being the curvature of the loss seen from z_L (propagate.hpp):
//
//     (M x)_k = d_k x_k − c_k (Σ_{j<k} c_j x_j + Σ_{j>k} c_j x_j)
//
// The sums before and after k run along as k goes up and down, which takes O(K) a sample. Subtracting c_k x_k from the
// whole sum would lose the digits of what is left where one output has nearly all the probability.
#pragma once

#include "propagate.hpp"

namespace hessorbit {

// out (K, n) = M x for columns c of the chunk, x (K, n); rows of either may be any distance apart. Not aliasing.
template <class T>
void multiply_by_loss(Tape<T>& tape, RowsView<const T> x, RowsView<T> out, Columns c) {
    using V = detail::Vector<T>;
    const Index outputs = tape.loss_diagonal.rows();
    const RowsView<T> diagonal = RowsView<T>(tape.loss_diagonal).from_column(c.begin);
    const RowsView<T> coupling = detail::view_or_null(tape.loss_coupling, c.begin);
    if (!coupling.data) {
        for (Index k = 0; k < outputs; ++k)
            for (Index i = 0; i < c.size; i += Lanes<T>::count)
                detail::lanes(out.row(k) + i) = detail::lanes(diagonal.row(k) + i) * detail::lanes(x.row(k) + i);
        return;
    }
    for (Index i = 0; i < c.size; i += Lanes<T>::count) {
        V before = {}, after = {};
        for (Index k = 0; k < outputs; ++k) {
            const V &d = detail::lanes(diagonal.row(k) + i), &q = detail::lanes(coupling.row(k) + i);
            const V& at = detail::lanes(x.row(k) + i);
            detail::lanes(out.row(k) + i) = d * at - q * before;
            before += q * at;
        }
        for (Index k = outputs - 1; k >= 0; --k) {
            const V& q = detail::lanes(coupling.row(k) + i);
            detail::lanes(out.row(k) + i) -= q * after;
            after += q * detail::lanes(x.row(k) + i);
        }
    }
}

// Calls store(i, column, Σ_kj v_ik M_kj v_ij) for every i < width, with one SIMD vector of samples from `column` on:
// Σ_k v_ik (d_k v_ik − 2 c_k Σ_{j<k} c_j v_ij). v (width, K), the same for all samples.
template <class T, class Store>
void quadratic_forms_of_loss(Tape<T>& tape, const Matrix<T>& v, Index n, Store store) {
    using V = detail::Vector<T>;
    constexpr int lane_count = Lanes<T>::count;
    const Index width = v.rows(), outputs = v.cols();
    const RowsView<T> diagonal(tape.loss_diagonal), coupling(tape.loss_coupling);
    const auto tile = [&]<int rows, bool coupled>(Index i, Index column) {
        V form[rows] = {}, before[rows] = {};
        for (Index k = 0; k < outputs; ++k) {
            const V& d = detail::lanes(diagonal.row(k) + column);
#pragma GCC unroll 8
            for (int r = 0; r < rows; ++r) {
                const T at = v(i + r, k);
                form[r] += (at * at) * d;
                if constexpr (coupled) {
                    const V part = at * detail::lanes(coupling.row(k) + column);
                    form[r] -= (part + part) * before[r];
                    before[r] += part;
                }
            }
        }
        for (int r = 0; r < rows; ++r) store(i + r, column, form[r]);
    };
    const auto strip = [&]<bool coupled>(Index column) {
        Index i = 0;
        for (; i + 4 <= width; i += 4) tile.template operator()<4, coupled>(i, column);
        for (; i < width; ++i) tile.template operator()<1, coupled>(i, column);
    };
    for (Index column = 0; column < n; column += lane_count) {
        if (tape.loss_coupling.size())
            strip.template operator()<true>(column);
        else
            strip.template operator()<false>(column);
    }
}

}  // namespace hessorbit
