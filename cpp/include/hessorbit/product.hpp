// Hessian-vector products by the R-operator (Pearlmutter 1994): R is the derivative along a direction v of θ. With Ṽ_l
// the part of v in layer l, and the tape's φ, σ', δ, e, M,
//
//     forward    Rz_l = W̃_l Rφ_l + Ṽ_l φ_l,    Rφ_{l+1} = s_{l+1} σ'_l Rz_l
//     backward   Rδ_L = M Rz_L,    Rδ_l = σ'_l (V_{l+1} Rδ_{l+1} + s_{l+1} Ṽ_{l+1}ᵀ δ_{l+1}) + e_l Rz_l
//     product    (Hv)_l = Σ_n Rδ_l φ_lᵀ + δ_l Rφ_lᵀ
//
// One product costs two to three gradients; the tape is shared by all directions.
#pragma once

#include "gradient.hpp"
#include "loss_product.hpp"

namespace hessorbit {

template <class T>
struct DirectionalTape {
    std::vector<Rows<T>> features;       // Rφ_l (features, n), l ≥ 1; the row of the bias stays zero
    std::vector<Rows<T>> preactivation;  // Rz_l (width, n)
    std::vector<Rows<T>> delta;          // Rδ_l (width, n)

    DirectionalTape(const Network& network, Index n) {
        const Index depth = network.depth();
        features.resize(depth), preactivation.resize(depth), delta.resize(depth);
        for (Index l = 0; l < depth; ++l) {
            const Layer& layer = network.layer(l);
            if (l > 0) features[l].setZero(layer.features(), n);
            preactivation[l].setZero(layer.width, n);
            delta[l].setZero(layer.width, n);
        }
    }
};

// Of the tape that products need. Where no activation bends, all e are zero, and the tape need not have them.
inline Order order_of_products(const Network& network) {
    for (Index l = 0; l < network.depth(); ++l)
        if (network.layer(l).bends()) return Order::hessian;
    return Order::gauss_newton;
}

// Fills a tape of that order for products with the Hessian of n samples from `first` on.
template <class T>
void propagate_for_products(const Network& network, const Parameters<T>& parameters, const Loss& loss,
                            const Data<T>& data, Index first, Index n, Tape<T>& tape) {
    forward(network, parameters, tape, {0, n});
    differentiate_loss(network, loss, data, first, tape, {0, n});
    if (!network.one_hidden_one_output()) backward(network, parameters, tape, {0, n});
}

// Rφ and Rz.
template <class T>
void move_forward(const Network& network, const Parameters<T>& parameters, const Parameters<T>& direction,
                  Tape<T>& tape, DirectionalTape<T>& r, Index n) {
    const Index top = network.depth() - 1;
    for (Index l = 0; l <= top; ++l) {
        const Layer& layer = network.layer(l);
        const RowsView<T> z(r.preactivation[l]);
        combine<T>(direction.forward[l].data(), layer.features(), layer.width, layer.features(), tape.phi(l), z, n);
        if (l > 0)
            combine<T, true>(parameters.forward[l].data(), layer.features(), layer.width, layer.fan_in,
                             RowsView<T>(r.features[l]), z, n);
        if (l == top) break;
        const T s = network.layer(l + 1).template multiplier<T>();
        for (Index i = 0; i < layer.width; ++i)
            RowsView<T>(r.features[l + 1]).array(i, n) = s * RowsView<T>(tape.slope[l]).array(i, n) * z.array(i, n);
    }
}

// Rδ below the loss.
template <class T>
void move_backward(const Network& network, const Parameters<T>& parameters, const Parameters<T>& direction,
                   Tape<T>& tape, DirectionalTape<T>& r, Index n) {
    for (Index l = network.depth() - 2; l >= 0; --l) {
        const Index width = network.layer(l).width, above = network.layer(l + 1).width;
        const RowsView<T> delta(r.delta[l]), z(r.preactivation[l]), slope(tape.slope[l]);
        const RowsView<T> curvature = detail::view_or_null(tape.curvature[l], 0);
        combine<T>(parameters.backward[l + 1].data(), above, width, above, RowsView<T>(r.delta[l + 1]), delta, n);
        combine<T, true>(direction.backward[l + 1].data(), above, width, above, RowsView<T>(tape.delta[l + 1]), delta,
                         n);
        for (Index i = 0; i < width; ++i) {
            delta.array(i, n) *= slope.array(i, n);
            if (curvature.data) delta.array(i, n) += curvature.array(i, n) * z.array(i, n);
        }
    }
}

// The same with one hidden layer and one output: Rδ_0 = σ' (V Rδ_1 + s Ṽ δ_1) + σ'' V δ_1 Rz_0, row by row, from a tape
// that has not been through backward.
template <class T>
void move_backward_from_one(const Parameters<T>& parameters, const Parameters<T>& direction, Tape<T>& tape,
                            DirectionalTape<T>& r, Index n) {
    const RowsView<T> delta(r.delta[0]), z(r.preactivation[0]), slope(tape.slope[0]);
    const RowsView<T> above(tape.delta[1]), moved(r.delta[1]), curvature = detail::view_or_null(tape.curvature[0], 0);
    for (Index i = 0; i < parameters.backward[1].rows(); ++i) {
        const T v = parameters.backward[1](i, 0), change = direction.backward[1](i, 0);
        const auto bare = slope.array(i, n) * (v * moved.array(0, n) + change * above.array(0, n));
        if (curvature.data) delta.array(i, n) = bare + v * curvature.array(i, n) * above.array(0, n) * z.array(i, n);
        else delta.array(i, n) = bare;
    }
}

// product (P) += H v over the first n columns of a tape filled for products.
template <class T>
void add_product(const Network& network, const Parameters<T>& parameters, const Parameters<T>& direction,
                 Tape<T>& tape, DirectionalTape<T>& r, Index n, T* product) {
    const Index top = network.depth() - 1;
    move_forward(network, parameters, direction, tape, r, n);
    multiply_by_loss<T>(tape, RowsView<T>(r.preactivation[top]), RowsView<T>(r.delta[top]), {0, n});
    if (network.one_hidden_one_output()) move_backward_from_one(parameters, direction, tape, r, n);
    else move_backward(network, parameters, direction, tape, r, n);
    for (Index l = 0; l <= top; ++l) {
        add_layer_gradient<T>(network.layer(l), RowsView<T>(r.delta[l]), tape.phi(l), n, product);
        if (l > 0)
            add_layer_gradient<T>(network.layer(l), RowsView<T>(tape.delta[l]), RowsView<T>(r.features[l]), n,
                                  product);
    }
}

}  // namespace hessorbit
