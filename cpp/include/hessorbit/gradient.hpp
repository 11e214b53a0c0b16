// The gradient from a tape: ∂L/∂W̃_l[i,a] = Σ_n δ_l[i] φ_l[a].
#pragma once

#include "propagate.hpp"

namespace hessorbit {

// gradient_l[i,a] += Σ_n left_l[i] right_l[a] over the first n columns, for every i and a of layer l.
// left (width, n); right (features, n); gradient (P).
template <class T>
void add_layer_gradient(const Layer& layer, RowsView<const T> left, RowsView<const T> right, Index n, T* gradient) {
    const Index width = layer.width, features = layer.features(), tile = Lanes<T>::right;
    const auto add = [&](Index i, Index a, T value) { gradient[layer.parameter(i, a)] += value; };
    const auto filled = [&](Index count) { return (count + tile - 1) / tile * tile; };
    // The number of right rows is filled up to whole tiles: the way round that wastes less.
    if (filled(features) * width <= filled(width) * features) contract<T>(left, width, right, features, n, add);
    else contract<T>(right, features, left, width, n, [&](Index a, Index i, T value) { add(i, a, value); });
}

// gradient (P) += the first n columns of a tape that has been through backward.
template <class T>
void add_gradient(const Network& network, Tape<T>& tape, Index n, T* gradient) {
    for (Index l = 0; l < network.depth(); ++l)
        add_layer_gradient<T>(network.layer(l), RowsView<T>(tape.delta[l]), tape.phi(l), n, gradient);
}

}  // namespace hessorbit
