// How preactivations move preactivations above them, for one chunk of samples:
//
//     Z_lq[i,u] = ∂z_q[u] / ∂z_l[i],   Z_ll = I,   Z_lq = diag(σ'_l) V_{l+1} Z_{l+1,q}
//
// Every second derivative is made of these. With C_q = diag(e_q) in a hidden layer and C_L = M at the output,
//
//     B_lm = ∂δ_m/∂z_l = Σ_{q ≥ m} Z_lq C_q Z_mqᵀ          (l ≤ m)
//
// because δ_m depends on z_l through the curvature e_q of each layer at or above m, and through the loss. The term
// q = L alone is the Gauss–Newton part.
//
// Stored are F_l = Z_lL (rows k·d_l + i), E_l = M F_l (same rows), and Z_lq for l + 2 ≤ q < L (rows i·d_q + u).
// Z_{l,l+1}[i,u] = σ'_l[i] V_{l+1}[i,u] is left as the product it is.
#pragma once

#include "kernel/interruption.hpp"
#include "loss_product.hpp"

namespace hessorbit {

template <class T>
struct Sensitivity {
    std::vector<Rows<T>> to_output;                // F_l, l < L
    std::vector<Rows<T>> weighted;                 // E_l, l < L
    std::vector<std::vector<Rows<T>>> to_hidden;   // Z_lq

    // to_output alone for Jacobians, with weighted for Gauss–Newton, with to_hidden for the Hessian.
    enum class Extent { jacobian, gauss_newton, hessian };

    Sensitivity(const Network& network, Index n, Extent extent) {
        const Index top = network.depth() - 1;
        to_output.resize(top), weighted.resize(top), to_hidden.resize(top);
        for (Index l = 0; l < top; ++l) {
            const Index width = network.layer(l).width;
            to_output[l].setZero(network.outputs() * width, n);
            if (extent != Extent::jacobian) weighted[l].setZero(network.outputs() * width, n);
            if (extent != Extent::hessian) continue;
            to_hidden[l].resize(top);
            for (Index q = l + 2; q < top; ++q) to_hidden[l][q].setZero(width * network.layer(q).width, n);
        }
    }
};

// Numbers that `differentiate` needs as scratch: the largest product of the widths of two neighbouring hidden layers.
inline Index differentiate_coefficients(const Network& network) {
    Index most = 1;
    for (Index l = 0; l + 1 < network.depth(); ++l)
        most = std::max(most, network.layer(l).width * network.layer(l + 1).width);
    return most;
}

// Rows a Sensitivity of full extent holds, per sample.
inline Index sensitivity_rows(const Network& network) {
    const Index top = network.depth() - 1;
    Index rows = 0;
    for (Index l = 0; l < top; ++l) {
        rows += 2 * network.outputs() * network.layer(l).width;
        for (Index q = l + 2; q < top; ++q) rows += network.layer(l).width * network.layer(q).width;
    }
    return rows;
}

namespace detail {

// Rows i of out times σ'_l[i].
template <class T>
void scale_by_slope(Tape<T>& tape, Index l, Index width, RowsView<T> out, Columns c) {
    const RowsView<T> slope = RowsView<T>(tape.slope[l]).from_column(c.begin);
    for (Index i = 0; i < width; ++i) out.array(i, c.size) *= slope.array(i, c.size);
}

template <class T>
void sensitivity_to_output(const Network& network, const Parameters<T>& parameters, Tape<T>& tape, Index l,
                           Sensitivity<T>& sensitivity, Columns c) {
    const Index width = network.layer(l).width, above = network.layer(l + 1).width, top = network.depth() - 1;
    const Matrix<T>& v = parameters.backward[l + 1];  // (width, above)
    for (Index k = 0; k < network.outputs(); ++k) {
        const RowsView<T> out = RowsView<T>(sensitivity.to_output[l]).from_row(k * width).from_column(c.begin);
        if (l + 1 < top) {
            combine<T>(v.data(), above, width, above,
                       RowsView<T>(sensitivity.to_output[l + 1]).from_row(k * above).from_column(c.begin), out, c.size);
            scale_by_slope(tape, l, width, out, c);
        } else {
            const RowsView<T> slope = RowsView<T>(tape.slope[l]).from_column(c.begin);
            for (Index i = 0; i < width; ++i) out.array(i, c.size) = v(i, k) * slope.array(i, c.size);
        }
    }
}

template <class T>
void weight_by_loss(const Network& network, Tape<T>& tape, Index l, Sensitivity<T>& sensitivity, Columns c) {
    const Index width = network.layer(l).width;
    const RowsView<T> f = RowsView<T>(sensitivity.to_output[l]).from_column(c.begin);
    const RowsView<T> e = RowsView<T>(sensitivity.weighted[l]).from_column(c.begin);
    for (Index i = 0; i < width; ++i)
        multiply_by_loss<T>(tape, RowsView<T>(f.row(i), f.stride * width), RowsView<T>(e.row(i), e.stride * width), c);
}

// Z_lq for q ≥ l + 2. scratch: at least width × above coefficients.
template <class T>
void sensitivity_to_hidden(const Network& network, const Parameters<T>& parameters, Tape<T>& tape, Index l, Index q,
                           Sensitivity<T>& sensitivity, Columns c, Matrix<T>& scratch) {
    const Index width = network.layer(l).width, above = network.layer(l + 1).width, target = network.layer(q).width;
    const Matrix<T>& v = parameters.backward[l + 1];
    const RowsView<T> all = RowsView<T>(sensitivity.to_hidden[l][q]).from_column(c.begin);
    for (Index u = 0; u < target; ++u) {
        stop_if_interrupted();
        const RowsView<T> out(all.row(u), all.stride * target);
        if (q == l + 2) {
            // Z_{l+1,q}[w,u] = σ'_{l+1}[w] V_q[w,u]: the coefficient goes to the matrix, the slope stays the row.
            const Matrix<T>& next = parameters.backward[q];
            for (Index i = 0; i < width; ++i)
                for (Index w = 0; w < above; ++w) scratch.data()[i * above + w] = v(i, w) * next(w, u);
            combine<T>(scratch.data(), above, width, above, RowsView<T>(tape.slope[l + 1]).from_column(c.begin), out,
                       c.size);
        } else {
            const RowsView<T> next = RowsView<T>(sensitivity.to_hidden[l + 1][q]).from_row(u).from_column(c.begin);
            combine<T>(v.data(), above, width, above, RowsView<T>(next.data, next.stride * target), out, c.size);
        }
        scale_by_slope(tape, l, width, out, c);
    }
}

}  // namespace detail

// Fills the sensitivities for columns c from a tape that has been through backward.
template <class T>
void differentiate(const Network& network, const Parameters<T>& parameters, Tape<T>& tape,
                   typename Sensitivity<T>::Extent extent, Sensitivity<T>& sensitivity, Columns c, Matrix<T>& scratch) {
    using Extent = typename Sensitivity<T>::Extent;
    const Index top = network.depth() - 1;
    for (Index l = top - 1; l >= 0; --l) {
        detail::sensitivity_to_output(network, parameters, tape, l, sensitivity, c);
        if (sensitivity.weighted[l].size()) detail::weight_by_loss(network, tape, l, sensitivity, c);
        if (extent != Extent::hessian) continue;
        for (Index q = l + 2; q < top; ++q)
            detail::sensitivity_to_hidden(network, parameters, tape, l, q, sensitivity, c, scratch);
    }
}

}  // namespace hessorbit
