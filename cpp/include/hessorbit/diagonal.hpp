// The diagonal of the Hessian without the Hessian: H[(l,i,a),(l,i,a)] = Σ_n φ_l[a]² B_ll[i,i], with B_ll[i,i] how the
// loss curves along the preactivation of a neuron. In the output layer that is M, with two hidden layers or more it is
// in curvature.hpp, and with one
//
//     B_ll[i,i] = e_l[i] + σ'_l[i]² Σ_kj V_L[i,k] M_kj V_L[i,j]        (loss_product.hpp)
//
// in O(N P). Without the terms in e, which a tape of order gauss_newton does not have, it is the diagonal of the
// Gauss–Newton part.
#pragma once

#include "curvature.hpp"
#include "gradient.hpp"
#include "loss_product.hpp"

#include <optional>

namespace hessorbit {

template <class T>
struct DiagonalScratch {
    Rows<T> squares;                            // φ_l[a]² (features, n)
    Rows<T> shallow;                            // B_00[i,i] (width, n) of networks with one hidden layer
    std::optional<NeuronCurvature<T>> deep;     // those of others

    // Arguments as in NeuronCurvature.
    DiagonalScratch(const Network& network, Index n, Order order, bool constant_loss, bool coupled) {
        Index features = 0;
        for (Index l = 0; l < network.depth(); ++l) features = std::max(features, network.layer(l).features());
        squares.setZero(features, n);
        if (network.depth() == 2) shallow.setZero(network.layer(0).width, n);
        if (network.depth() > 2) deep.emplace(network, n, order, constant_loss, coupled);
    }

    // To be called for each θ.
    void prepare(const Parameters<T>& parameters) {
        if (deep) deep->prepare(parameters);
    }

    // Finds B for the first n columns of a tape that has been through backward; its loss_coupling is then lost.
    void find_curvature(const Parameters<T>& parameters, Tape<T>& tape, Index n) {
        if (deep) return deep->run(parameters, tape, n);
        if (!shallow.size()) return;
        const RowsView<T> out(shallow), own = detail::view_or_null(tape.curvature[0], 0);
        quadratic_forms_of_loss<T>(tape, parameters.backward[1], n, [&](Index i, Index column, const auto& form) {
            const auto& slope = detail::lanes(RowsView<T>(tape.slope[0]).row(i) + column);
            detail::lanes(out.row(i) + column) = slope * slope * form;
            if (own.data) detail::lanes(out.row(i) + column) += detail::lanes(own.row(i) + column);
        });
    }

    // The rows B_ll[i,i] (width, n).
    RowsView<T> curvature(Tape<T>& tape, Index l) {
        if (l + 1 == std::ssize(tape.delta)) return tape.loss_diagonal;
        return deep ? (*deep)(l) : RowsView<T>(shallow);
    }
};

// diagonal (P) += the first n columns of a tape whose curvature has been found.
template <class T>
void add_diagonal(const Network& network, Tape<T>& tape, Index n, DiagonalScratch<T>& scratch, T* diagonal) {
    for (Index l = 0; l < network.depth(); ++l) {
        const Layer& layer = network.layer(l);
        for (Index a = 0; a < layer.features(); ++a)
            RowsView<T>(scratch.squares).array(a, n) = tape.phi(l).array(a, n).square();
        add_layer_gradient<T>(layer, scratch.curvature(tape, l), RowsView<T>(scratch.squares), n, diagonal);
    }
}

}  // namespace hessorbit
