// The Gauss–Newton matrix as a square: Σ_n w_n J_nᵀ M_n J_n = FᵀF with F_n = A_n J_n, A_nᵀ A_n = w_n M_n (loss.hpp).
//
// The root A is applied where it is cheapest and where its differences are those of the weights themselves: to
// ∂f/∂z of the last hidden layer, from where it is carried down like a Jacobian (sensitivity.hpp). With C = A diag(σ'_L)
// and G_l = C F_l, F_l = ∂z_L/∂z_l,
//
//     F[r; (l,i,a)] = G_l[r,i] φ_l[a]  (l < L),       F[r; (L,k,a)] = C[r,k] φ_L[a].
#pragma once

#include "jacobian.hpp"

namespace hessorbit {

template <class T>
struct GaussNewtonScratch {
    CurvatureRoot<T> root;
    std::vector<T> f, y, x;  // of one sample (K)
    Rows<T> top;             // C, rows r·K + k

    GaussNewtonScratch(const Network& network, const Loss& loss, Index n)
        : root(loss, network.outputs()), f(network.outputs()), y(network.outputs()), x(network.outputs()) {
        top.setZero(network.outputs() * network.outputs(), n);
    }
};

namespace detail {

// Makes A for each of `count` samples, applies it to diag(σ'_L) and to the rows of z in the last hidden layer.
// y (K, n), weight (n): those of the tape's samples.
template <class T>
void apply_root(const Network& network, Tape<T>& tape, RowsView<const T> y, const T* weight, Index count,
                Sensitivity<T>& z, GaussNewtonScratch<T>& scratch) {
    const Index top = network.depth() - 1, outputs = network.outputs();
    const bool bent = tape.slope[top].size() != 0;
    std::vector<T>& x = scratch.x;
    for (Index n = 0; n < count; ++n) {
        const auto slope = [&](Index k) { return bent ? RowsView<T>(tape.slope[top]).row(k)[n] : T(1); };
        for (Index k = 0; k < outputs; ++k) {
            scratch.f[k] = RowsView<T>(tape.output).row(k)[n];
            scratch.y[k] = y.row(k)[n];
        }
        scratch.root.prepare(scratch.f.data(), scratch.y.data(), weight[n]);
        // Row k·stride of `rows` for output k is taken, and row r·stride given.
        const auto replace = [&](RowsView<T> rows, Index stride) {
            scratch.root.apply(x.data());
            for (Index k = 0; k < outputs; ++k) rows.row(k * stride)[n] = x[k];
        };
        for (Index k = 0; k < outputs; ++k) {
            std::fill(x.begin(), x.end(), T(0));
            x[k] = slope(k);
            replace(RowsView<T>(scratch.top).from_row(k), outputs);
        }
        for (Index i = 0; top > 0 && i < network.layer(top - 1).width; ++i) {
            const Index width = network.layer(top - 1).width;
            const RowsView<T> rows = RowsView<T>(z.to_output[top - 1]).from_row(i);
            for (Index k = 0; k < outputs; ++k) x[k] = slope(k) * rows.row(k * width)[n];
            replace(rows, width);
        }
    }
}

}  // namespace detail

// Writes the rows of `count` samples, the first of a tape that has been through forward, to factor (count·R, P), which
// the caller has zeroed; R = CurvatureRoot::rows. y (K, n) and weight (n) are those of the tape's samples.
template <class T>
void write_gauss_newton_factor(const Network& network, const Parameters<T>& parameters, const Loss& loss, Tape<T>& tape,
                               RowsView<const T> y, const T* weight, Index count, Sensitivity<T>& z,
                               GaussNewtonScratch<T>& scratch, T* factor) {
    const Index top = network.depth() - 1, outputs = network.outputs(), p = network.num_parameters();
    const Columns all{0, padded(count)};
    const bool diagonal = !couples_outputs(loss);
    if (top > 0) detail::sensitivity_to_output(network, parameters, tape, top - 1, z, all);
    detail::apply_root(network, tape, y, weight, count, z, scratch);
    for (Index l = top - 2; l >= 0; --l) detail::sensitivity_to_output(network, parameters, tape, l, z, all);

    const Index rows = CurvatureRoot<T>::rows(loss, outputs);
    for (Index begin = 0; begin < count; begin += detail::jacobian_block)
        for (Index r = 0; r < rows; ++r) {
            const Index block = std::min(detail::jacobian_block, count - begin);
            T* out = factor + (begin * rows + r) * p;
            const auto write = [&](Index l, Index i, const T* sensitivity) {
                detail::write_jacobian_neuron<T>(network.layer(l), i, sensitivity, nullptr, tape.phi(l), begin, block,
                                                 rows * p, out);
            };
            for (Index l = 0; l < top; ++l) {
                const Index width = network.layer(l).width;
                for (Index i = 0; i < width; ++i) write(l, i, RowsView<T>(z.to_output[l]).row(r * width + i));
            }
            for (Index k = 0; k < outputs; ++k)
                if (!diagonal || k == r) write(top, k, RowsView<T>(scratch.top).row(r * outputs + k));
        }
}

}  // namespace hessorbit
