// What the formulas of the Hessian are written in: the tape and the sensitivities of a chunk, seen over a segment of
// its samples, each quantity a row and called by its name.
#pragma once

#include "../sensitivity.hpp"

namespace hessorbit {

template <class T>
class Segment {
public:
    static constexpr Index most = 256;  // samples: what two register tiles are made of stays in the L1 cache

    Segment(const Network& network, const Parameters<T>& parameters, Tape<T>& tape, Sensitivity<T>& sensitivity,
            bool gauss_newton)
        : network(network), parameters(parameters), gauss_newton(gauss_newton), tape_(tape), sensitivity_(sensitivity) {
    }

    void select(Columns columns) { columns_ = columns; }
    Index size() const { return columns_.size; }

    Row<T> phi(Index l, Index a) { return tape_.phi(l).from_column(columns_.begin).array(a, size()); }
    Row<T> slope(Index l, Index i) { return row(tape_.slope[l], i); }                        // σ'_l[i]
    Row<T> curvature(Index l, Index i) { return row(tape_.curvature[l], i); }                // e_l[i]
    Row<T> delta(Index l, Index i) { return row(tape_.delta[l], i); }                        // δ_l[i]
    Row<T> loss(Index k) { return row(tape_.loss_diagonal, k); }                             // M_kk
    Row<T> coupling(Index k) { return row(tape_.loss_coupling, k); }                         // c_k: M_kj = −c_k c_j
    Row<T> to_output(Index l, Index k, Index i) {                                            // F_l[k,i]
        return row(sensitivity_.to_output[l], k * network.layer(l).width + i);
    }
    RowsView<T> to_outputs(Index l, Index i) { return every_output(sensitivity_.to_output[l], l, i); }  // F_l[·,i]
    RowsView<T> all_weighted(Index l, Index i) { return every_output(sensitivity_.weighted[l], l, i); }  // E_l[·,i]
    Row<T> weighted(Index l, Index k, Index i) {                                                         // E_l[k,i]
        return row(sensitivity_.weighted[l], k * network.layer(l).width + i);
    }

    // (V_L V_Lᵀ)_ij, l the last hidden layer.
    T common_outputs(Index l, Index i, Index j) const {
        const Matrix<T>& v = parameters.backward[l + 1];
        return v.row(i).dot(v.row(j));
    }

    // Z_lq[i,u] as an expression, l < q < L.
    auto to_hidden(Index l, Index q, Index i, Index u) {
        const bool next = q == l + 1;
        const T coefficient = next ? parameters.backward[q](i, u) : T(1);
        return coefficient * (next ? slope(l, i) : row(sensitivity_.to_hidden[l][q], i * network.layer(q).width + u));
    }

    bool is_bias(Index l, Index a) const { return a == network.layer(l).fan_in; }
    Index top() const { return network.depth() - 1; }

    const Network& network;
    const Parameters<T>& parameters;
    const bool gauss_newton;

private:
    RowsView<T> every_output(Rows<T>& rows, Index l, Index i) {
        return {row(rows, i).data(), rows.cols() * network.layer(l).width};
    }
    Row<T> row(Rows<T>& rows, Index i) { return RowsView<T>(rows).from_column(columns_.begin).array(i, size()); }

    Tape<T>& tape_;
    Sensitivity<T>& sensitivity_;
    Columns columns_{};
};

}  // namespace hessorbit
