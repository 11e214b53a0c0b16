// The Jacobian of the outputs: ∂f_k(x_n)/∂W̃_l[i,a] = σ'_L[k] F_l[k,i] φ_l[a], with F_l = ∂z_L/∂z_l, F_L = I
// (sensitivity.hpp) and σ'_L = 1 when the output layer is linear.
#pragma once

#include "sensitivity.hpp"

namespace hessorbit {

namespace detail {

// Samples written together: each output row is one sample, so a block of columns becomes a block of output rows.
inline constexpr Index jacobian_block = row_multiple;

// out[n·K·P + k·P + parameter(i, a)] = scale(n) F(n) φ_a(n) for a block of columns, `count` of them real samples.
template <class T>
void write_jacobian_neuron(const Layer& layer, Index i, const T* sensitivity, const T* scale, RowsView<const T> phi,
                           Index begin, Index count, Index sample_stride, T* out) {
    T factor[jacobian_block];
    for (Index n = 0; n < count; ++n)
        factor[n] = (sensitivity ? sensitivity[begin + n] : T(1)) * (scale ? scale[begin + n] : T(1));
    for (Index a = 0; a < layer.features(); ++a) {
        const T* features = phi.row(a) + begin;
        T* to = out + layer.parameter(i, a);
        for (Index n = 0; n < count; ++n) to[n * sample_stride] = factor[n] * features[n];
    }
}

}  // namespace detail

// Writes the rows of `count` samples, the first of the tape, to jacobian (count·K, P), which the caller has zeroed.
template <class T>
void write_jacobian(const Network& network, Tape<T>& tape, Sensitivity<T>& sensitivity, Index count, T* jacobian) {
    const Index top = network.depth() - 1, outputs = network.outputs(), p = network.num_parameters();
    for (Index begin = 0; begin < count; begin += detail::jacobian_block) {
        const Index block = std::min(detail::jacobian_block, count - begin);
        for (Index k = 0; k < outputs; ++k) {
            T* out = jacobian + (begin * outputs + k) * p;
            const T* scale = detail::row_or_null(tape.slope[top], k, 0);
            for (Index l = 0; l < top; ++l) {
                const Layer& layer = network.layer(l);
                const RowsView<T> to_output = RowsView<T>(sensitivity.to_output[l]).from_row(k * layer.width);
                for (Index i = 0; i < layer.width; ++i)
                    detail::write_jacobian_neuron<T>(layer, i, to_output.row(i), scale, tape.phi(l), begin, block,
                                                     outputs * p, out);
            }
            detail::write_jacobian_neuron<T>(network.last(), k, nullptr, scale, tape.phi(top), begin, block,
                                             outputs * p, out);
        }
    }
}

}  // namespace hessorbit
