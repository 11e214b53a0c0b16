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

// product (P) += H v over the first n columns of a tape of order hessian that has been through backward.
template <class T>
void add_product(const Network& network, const Parameters<T>& parameters, const Parameters<T>& direction,
                 Tape<T>& tape, DirectionalTape<T>& r, Index n, T* product) {
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

    multiply_by_loss<T>(tape, RowsView<T>(r.preactivation[top]), RowsView<T>(r.delta[top]), {0, n});
    for (Index l = top - 1; l >= 0; --l) {
        const Index width = network.layer(l).width, above = network.layer(l + 1).width;
        const RowsView<T> delta(r.delta[l]);
        combine<T>(parameters.backward[l + 1].data(), above, width, above, RowsView<T>(r.delta[l + 1]), delta, n);
        combine<T, true>(direction.backward[l + 1].data(), above, width, above, RowsView<T>(tape.delta[l + 1]), delta,
                         n);
        for (Index i = 0; i < width; ++i)
            delta.array(i, n) =
                RowsView<T>(tape.slope[l]).array(i, n) * delta.array(i, n) +
                RowsView<T>(tape.curvature[l]).array(i, n) * RowsView<T>(r.preactivation[l]).array(i, n);
    }

    for (Index l = 0; l <= top; ++l) {
        add_layer_gradient<T>(network.layer(l), RowsView<T>(r.delta[l]), tape.phi(l), n, product);
        if (l > 0)
            add_layer_gradient<T>(network.layer(l), RowsView<T>(tape.delta[l]), RowsView<T>(r.features[l]), n,
                                  product);
    }
}

}  // namespace hessorbit
