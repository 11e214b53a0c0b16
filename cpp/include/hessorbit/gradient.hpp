// The gradient over one chunk of samples: ∂L/∂W̃_l[i,a] = Σ_n δ_l[i] φ_l[a].
//
// With one hidden layer and one output, δ_0[i] = σ'[i] V[i] δ_1, and V[i] leaves the sum:
//
//     ∂L/∂W̃_0[i,a] = V[i] Σ_n σ'[i] ψ[a],   ψ[a] = δ_1 φ_0[a]
//
// so that a row is formed for each feature and none for the neurons, of which there are more.
#pragma once

#include "propagate.hpp"

namespace hessorbit {

// gradient_l[i,a] += scale_i Σ_n left_l[i] right_l[a] over the first n columns, for every i and a of layer l; scale_i is 1
// where scale is null. left (width, n); right (features, n); scale (width); gradient (P).
template <class T>
void add_layer_gradient(const Layer& layer, RowsView<const T> left, RowsView<const T> right, Index n, T* gradient,
                        const T* scale = nullptr) {
    const Index width = layer.width, features = layer.features(), tile = Lanes<T>::right;
    const auto add = [&](Index i, Index a, T value) {
        gradient[layer.parameter(i, a)] += scale ? scale[i] * value : value;
    };
    const auto filled = [&](Index count) { return (count + tile - 1) / tile * tile; };
    // The number of right rows is filled up to whole tiles: the way round that wastes less.
    if (filled(features) * width <= filled(width) * features) contract<T>(left, width, right, features, n, add);
    else contract<T>(right, features, left, width, n, [&](Index a, Index i, T value) { add(i, a, value); });
}

// Adds to gradient (P) what n samples from `first` on contribute, and leaves their losses in the tape, whose input is set.
template <class T>
void add_gradient(const Network& network, const Parameters<T>& parameters, const Loss& loss, const Data<T>& data,
                  Index first, Index n, Tape<T>& tape, T* gradient) {
    const Columns all{0, n};
    const Index top = network.depth() - 1;
    forward(network, parameters, tape, all);
    differentiate_loss(network, loss, data, first, tape, all);
    add_layer_gradient<T>(network.layer(top), RowsView<T>(tape.delta[top]), tape.phi(top), n, gradient);
    if (network.one_hidden_one_output() && network.layer(0).features() <= network.layer(0).width) {
        const RowsView<T> psi(tape.delta[0]), delta(tape.delta[1]);
        for (Index a = 0; a < network.layer(0).features(); ++a)
            psi.array(a, n) = delta.array(0, n) * tape.phi(0).array(a, n);
        add_layer_gradient<T>(network.layer(0), RowsView<T>(tape.slope[0]), psi, n, gradient,
                              parameters.backward[1].data());
    } else {
        backward(network, parameters, tape, all);
        for (Index l = 0; l < top; ++l)
            add_layer_gradient<T>(network.layer(l), RowsView<T>(tape.delta[l]), tape.phi(l), n, gradient);
    }
}

}  // namespace hessorbit
