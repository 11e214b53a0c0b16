// Forward and backward through the network for one chunk of samples.
//
//     forward    z_l = W̃_l φ_l,   φ_{l+1} = (s_{l+1} σ_l(z_l), 1),   f = σ_L(z_L)
//     backward   δ_L = ∂ℓ/∂z_L,   u_l = V_{l+1} δ_{l+1},   δ_l = σ'_l u_l,   e_l = σ''_l u_l
//
// (V_l = s_l W_lᵀ.) At the top the loss gives M = ∂²ℓ/∂z_L²; when the output layer is not linear its own slope and
// curvature are folded into δ_L and M, so that everything below sees a linear output (Gauss–Newton, which takes the
// curvature of the loss alone, leaves σ''_L out). Sample weights are in r and M, hence in every δ and e.
#pragma once

#include "loss.hpp"
#include "network.hpp"

#include <vector>

namespace hessorbit {

// Inputs and targets, transposed once: φ_1 (features, N), y (outputs, N), weight (1, N). In what is summed over samples,
// those of weight zero and the columns past N repeat the last sample of positive weight, with weight zero, so that they
// overflow only where that one does: 0 · inf is not 0.
template <class T>
struct Data {
    Index samples = 0;
    Rows<T> features, targets, weight;
    Rows<T> own_features, own_targets;  // of all samples; empty if no weight is zero

    Rows<T>& every_feature() { return own_features.size() ? own_features : features; }
    Rows<T>& every_target() { return own_targets.size() ? own_targets : targets; }
};

// What a caller needs of a pass; each level includes those before it.
enum class Order { value, gradient, gauss_newton, hessian };

template <class T>
struct Tape {
    Index columns;
    std::vector<Rows<T>> features;   // φ_l (features, n); φ_0 is a view of the data instead
    std::vector<Rows<T>> slope;      // σ'_l (width, n)
    std::vector<Rows<T>> curvature;  // σ''_l, then e_l (width, n)
    std::vector<Rows<T>> delta;      // δ_l (width, n)
    Rows<T> output;                  // f (K, n), until the loss has been evaluated
    Rows<T> value;                   // w ℓ (1, n)
    Rows<T> loss_diagonal;           // M_kk (K, n)
    Rows<T> loss_coupling;           // c (K, n): M_kj = −c_k c_j for k ≠ j; empty unless outputs are coupled
    RowsView<T> input;               // φ_0 of the current chunk

    // coupled: whether the loss couples outputs, and its M is asked for.
    Tape(const Network& network, Index n, Order order, bool coupled) : columns(n) {
        const Index depth = network.depth(), outputs = network.outputs();
        const bool backward = order >= Order::gradient, second = order == Order::hessian;
        features.resize(depth), slope.resize(depth), curvature.resize(depth), delta.resize(depth);
        for (Index l = 0; l < depth; ++l) {
            const Layer& layer = network.layer(l);
            const bool hidden_or_bent = l < depth - 1 || !layer.linear();
            if (l > 0) features[l].setOnes(layer.features(), n);
            if (backward) delta[l].setZero(layer.width, n);
            if (backward && hidden_or_bent) slope[l].setZero(layer.width, n);
            if (second && hidden_or_bent) curvature[l].setZero(layer.width, n);
        }
        output.setZero(outputs, n);
        value.setZero(1, n);
        if (order < Order::gauss_newton) return;
        loss_diagonal.setZero(outputs, n);
        if (coupled) loss_coupling.setZero(outputs, n);
    }

    RowsView<T> phi(Index l) { return l == 0 ? input : RowsView<T>(features[l]); }
};

// Rows a tape of this order holds, per sample.
inline Index tape_rows(const Network& network, Order order) {
    const Index per_neuron = order == Order::value ? 0 : order == Order::hessian ? 3 : 2;
    Index rows = network.outputs() * (order >= Order::gauss_newton ? 1 + std::min<Index>(network.outputs(), 2) : 1);
    for (Index l = 0; l < network.depth(); ++l)
        rows += network.layer(l).features() + network.layer(l).width * per_neuron;
    return rows;
}

namespace detail {

template <class T>
T* row_or_null(Rows<T>& rows, Index i, Index column) {
    return rows.size() == 0 ? nullptr : RowsView<T>(rows).row(i) + column;
}

template <class T>
RowsView<T> view_or_null(Rows<T>& rows, Index column) {
    return rows.size() == 0 ? RowsView<T>() : RowsView<T>(rows).from_column(column);
}

// σ_l of the rows in z, in place, with slope and curvature where the tape keeps them.
template <class T>
void activate(const Layer& layer, Tape<T>& tape, Index l, RowsView<T> z, Columns c) {
    const bool in_one = z.stride == c.size;  // without padding, the rows of a run are one long row
    for (const ActivationRun& run : layer.activations) {
        const Index rows = in_one ? run.count : 1;
        for (Index i = run.first; i < run.first + run.count; i += rows)
            evaluate<T>(run.activation, z.row(i), rows * c.size, z.row(i), row_or_null(tape.slope[l], i, c.begin),
                        row_or_null(tape.curvature[l], i, c.begin));
    }
}

}  // namespace detail

// The loss at the top, seen from z_L: δ_L and M.
template <class T>
void differentiate_loss(const Network& network, const Loss& loss, const Data<T>& data, Index first, Tape<T>& tape,
                        Columns c) {
    const Index outputs = network.outputs(), top = network.depth() - 1;
    const Index column = first + c.begin;
    RowsView<const T> y(data.targets.data() + column, data.targets.cols());
    evaluate_loss<T>(loss, outputs, RowsView<T>(tape.output).from_column(c.begin), y, data.weight.data() + column,
                     c.size, RowsView<T>(tape.value).row(0) + c.begin, detail::view_or_null(tape.delta[top], c.begin),
                     detail::view_or_null(tape.loss_diagonal, c.begin),
                     detail::view_or_null(tape.loss_coupling, c.begin));
    if (tape.slope[top].size() == 0) return;

    const RowsView<T> delta = RowsView<T>(tape.delta[top]).from_column(c.begin);
    const RowsView<T> slope = RowsView<T>(tape.slope[top]).from_column(c.begin);
    const RowsView<T> diagonal = detail::view_or_null(tape.loss_diagonal, c.begin);
    const RowsView<T> coupling = detail::view_or_null(tape.loss_coupling, c.begin);
    const RowsView<T> curvature = detail::view_or_null(tape.curvature[top], c.begin);
    for (Index k = 0; k < outputs; ++k) {
        if (diagonal.data) diagonal.array(k, c.size) *= slope.array(k, c.size).square();
        if (coupling.data) coupling.array(k, c.size) *= slope.array(k, c.size);
        if (curvature.data) diagonal.array(k, c.size) += curvature.array(k, c.size) * delta.array(k, c.size);
        delta.array(k, c.size) *= slope.array(k, c.size);
    }
}

// Fills φ, σ', σ'' and f for columns c of the chunk.
template <class T>
void forward(const Network& network, const Parameters<T>& parameters, Tape<T>& tape, Columns c) {
    for (Index l = 0; l < network.depth(); ++l) {
        const Layer& layer = network.layer(l);
        const bool last = l == network.depth() - 1;
        const RowsView<T> z = (last ? RowsView<T>(tape.output) : tape.phi(l + 1)).from_column(c.begin);
        combine<T>(parameters.forward[l].data(), layer.features(), layer.width, layer.features(),
                   tape.phi(l).from_column(c.begin), z, c.size);
        if (last && layer.linear()) return;
        detail::activate(layer, tape, l, z, c);
        if (last) return;
        const T s = network.layer(l + 1).template multiplier<T>();
        if (s != 1)
            for (Index i = 0; i < layer.width; ++i) z.array(i, c.size) *= s;
    }
}

// Fills δ and e below the loss.
template <class T>
void backward(const Network& network, const Parameters<T>& parameters, Tape<T>& tape, Columns c) {
    for (Index l = network.depth() - 2; l >= 0; --l) {
        const Index width = network.layer(l).width, above = network.layer(l + 1).width;
        const RowsView<T> delta = RowsView<T>(tape.delta[l]).from_column(c.begin);
        const RowsView<T> slope = RowsView<T>(tape.slope[l]).from_column(c.begin);
        const RowsView<T> curvature = detail::view_or_null(tape.curvature[l], c.begin);
        const RowsView<T> above_delta = RowsView<T>(tape.delta[l + 1]).from_column(c.begin);
        const auto scale = [=](Index i, Index column, const auto& u) {
            detail::lanes(delta.row(i) + column) = detail::lanes(slope.row(i) + column) * u;
        };
        const auto scale_both = [=](Index i, Index column, const auto& u) {
            detail::lanes(curvature.row(i) + column) *= u;
            scale(i, column, u);
        };
        const auto pull_back = [&](const auto& store) {
            combine_each<T>(parameters.backward[l + 1].data(), above, width, above, above_delta, c.size, store);
        };
        curvature.data ? pull_back(scale_both) : pull_back(scale);
    }
}

// Forward, loss and backward for columns c of the chunk that starts at sample `first` of the data; the caller has set
// tape.input to the features of that chunk.
template <class T>
void propagate(const Network& network, const Parameters<T>& parameters, const Loss& loss, Data<T>& data, Index first,
               Order order, Tape<T>& tape, Columns c) {
    forward(network, parameters, tape, c);
    differentiate_loss(network, loss, data, first, tape, c);
    if (order != Order::value) backward(network, parameters, tape, c);
}

}  // namespace hessorbit
