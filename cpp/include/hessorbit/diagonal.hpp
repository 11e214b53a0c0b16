// The diagonal of the Hessian without the Hessian: H[(l,i,a),(l,i,a)] = Σ_n φ_l[a]² B_ll[i,i],
//
//     B_ll[i,i] = e_l[i] + Σ_k F_l[k,i] E_l[k,i] + Σ_{l<q<L} Σ_u Z_lq[i,u]² e_q[u]        (sensitivity.hpp)
//
// For q = l + 1, Z_lq[i,u] = σ'_l[i] V_q[i,u], so the sum is a product with the squares of V_q; and for l = L − 1 the one
// over k is σ'_l[i]² Σ_kj V_L[i,k] M_kj V_L[i,j] (loss_product.hpp). With one hidden layer the cost is O(N P). With more,
// the F_l below the last take O(N K d_l d_{l+1}), as K gradients, or less where outputs are many (compression.hpp), and
// distant layers the Z_lq, O(N d_l d_{l+1} d_q) each.
// Without the terms in e, which a tape of order gauss_newton does not have, it is the diagonal of the Gauss–Newton part.
#pragma once

#include "gradient.hpp"
#include "sensitivity.hpp"

namespace hessorbit {

template <class T>
struct DiagonalScratch {
    Rows<T> squares;       // φ_l[a]² (features, n)
    Rows<T> curvature;     // B_ll[i,i] (width, n)
    Rows<T> next;          // Σ_u V[i,u]² e[u] (width, n)
    Matrix<T> squared;     // V_q²

    DiagonalScratch(const Network& network, Index n) {
        Index features = 0, width = 0, product = 0;
        for (Index l = 0; l < network.depth(); ++l) {
            features = std::max(features, network.layer(l).features());
            width = std::max(width, network.layer(l).width);
            product = std::max(product, network.layer(l).fan_in * network.layer(l).width);
        }
        squares.setZero(features, n), curvature.setZero(width, n), next.setZero(width, n);
        squared.setZero(1, product);
    }
};

namespace detail {

// Fills scratch.curvature with the rows B_ll[i,i], l below the output layer.
template <class T>
void diagonal_curvature(const Network& network, const Parameters<T>& parameters, Tape<T>& tape,
                        Sensitivity<T>* sensitivity, Index l, Index n, DiagonalScratch<T>& scratch) {
    const Index width = network.layer(l).width, top = network.depth() - 1;
    const RowsView<T> out(scratch.curvature), own = view_or_null(tape.curvature[l], 0);
    if (l + 1 == top) {
        quadratic_forms_of_loss<T>(tape, parameters.backward[top], n, [&](Index i, Index column, const auto& form) {
            const auto& slope = lanes(RowsView<T>(tape.slope[l]).row(i) + column);
            lanes(out.row(i) + column) = slope * slope * form;
            if (own.data) lanes(out.row(i) + column) += lanes(own.row(i) + column);
        });
        return;
    }
    for (Index i = 0; i < width; ++i) {
        if (own.data) out.array(i, n) = own.array(i, n);
        else out.array(i, n).setZero();
        const RowsView<T> f(sensitivity->to_output[l]), e = sensitivity->compression ? f : RowsView<T>(sensitivity->weighted[l]);
        for (Index k = 0; k < sensitivity->outputs; ++k)
            out.array(i, n) += f.array(k * width + i, n) * e.array(k * width + i, n);
    }
    if (!own.data) return;
    const Matrix<T>& v = parameters.backward[l + 1];
    for (Index i = 0; i < v.size(); ++i) scratch.squared.data()[i] = v.data()[i] * v.data()[i];
    combine<T>(scratch.squared.data(), v.cols(), width, v.cols(), RowsView<T>(tape.curvature[l + 1]),
               RowsView<T>(scratch.next), n);
    for (Index i = 0; i < width; ++i)
        out.array(i, n) += RowsView<T>(tape.slope[l]).array(i, n).square() * RowsView<T>(scratch.next).array(i, n);
    for (Index q = l + 2; q < top; ++q) {
        const RowsView<T> to_hidden(sensitivity->to_hidden[l][q]), curvature(tape.curvature[q]);
        for (Index i = 0; i < width; ++i)
            for (Index u = 0; u < network.layer(q).width; ++u)
                out.array(i, n) += to_hidden.array(i * network.layer(q).width + u, n).square() * curvature.array(u, n);
    }
}

}  // namespace detail

// Whether the diagonal needs sensitivities.
inline bool diagonal_needs_sensitivity(const Network& network) { return network.depth() > 2; }

// diagonal (P) += the first n columns of a tape of order hessian, with its sensitivities if they are needed.
template <class T>
void add_diagonal(const Network& network, const Parameters<T>& parameters, Tape<T>& tape, Sensitivity<T>* sensitivity,
                  Index n, DiagonalScratch<T>& scratch, T* diagonal) {
    const Index top = network.depth() - 1;
    for (Index l = 0; l <= top; ++l) {
        const Layer& layer = network.layer(l);
        for (Index a = 0; a < layer.features(); ++a)
            RowsView<T>(scratch.squares).array(a, n) = tape.phi(l).array(a, n).square();
        if (l < top) detail::diagonal_curvature(network, parameters, tape, sensitivity, l, n, scratch);
        add_layer_gradient<T>(layer, RowsView<T>(l < top ? scratch.curvature : tape.loss_diagonal),
                              RowsView<T>(scratch.squares), n, diagonal);
    }
}

}  // namespace hessorbit
