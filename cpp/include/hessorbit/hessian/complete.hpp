// Completes a Hessian once every chunk has been added: the places that symmetry gives, and l2 on the diagonal.
//
// The work comes in phases, each of parts that write places of their own; a phase reads what those before it wrote.
#pragma once

#include "products.hpp"

#include "../kernel/symmetric.hpp"

namespace hessorbit {

template <class T>
class HessianCompletion {
public:
    static constexpr int phases = 3;

    // hessian (size, size) of the block.
    HessianCompletion(const HessianShape& shape, T l2, T* hessian)
        : layers_(shape.selection.layers()), constant_loss_(shape.constant_loss), l2_(l2), hessian_(hessian),
          p_(shape.selection.size()) {}

    Index parts(int phase) const {
        if (phase == 0) return constant_loss_ ? layers_.back().features() : 0;
        if (phase == 2) return (p_ + strip - 1) / strip;
        Index count = 0;
        for (const Layer& layer : layers_) count += neuron_parts(layer);
        return count;
    }

    void run(int phase, Index part) {
        if (phase == 0) return repeat_output_block(part);
        if (phase == 2) return reflect_triangle(part);
        Index l = 0;
        for (; part >= neuron_parts(layers_[l]); ++l) part -= neuron_parts(layers_[l]);
        const Index end = std::min(layers_[l].width, (part + 1) * neuron_part);
        for (Index i = part * neuron_part; i < end; ++i) reflect_features(layers_[l], i);
    }

    void run() {
        for (int phase = 0; phase < phases; ++phase)
            for (Index part = 0; part < parts(phase); ++part) run(phase, part);
    }

private:
    static constexpr Index tile = Lanes<T>::count;  // squares of this side are transposed in registers
    static constexpr Index strip = 16;              // rows that are completed from columns read together
    static constexpr Index neuron_part = 8;         // neurons whose rows one thread completes

    static Index neuron_parts(const Layer& layer) { return (layer.width + neuron_part - 1) / neuron_part; }

    // Squared error has M = w I: every output's block equals the first one's. Its row a.
    void repeat_output_block(Index a) {
        const Layer& layer = layers_.back();
        for (Index k = 1; k < layer.width; ++k)
            for (Index c = a; c < layer.features(); ++c)
                hessian_[layer.parameter(k, a) * p_ + layer.parameter(k, c)] =
                    hessian_[layer.parameter(0, a) * p_ + layer.parameter(0, c)];
    }

    // In a diagonal block, H[(i,c),(j,a)] = H[(i,a),(j,c)] for i < j: only a ≤ c was formed. Biases come after all
    // weights of their layer, so the place above the diagonal is at row (j,a) when c is the bias. The rows of neuron i.
    void reflect_features(const Layer& layer, Index i) {
        const bool squares = layer.fan_in >= 2 * tile;
        for (Index j = i + 1; squares && j < layer.width; ++j)
            reflect(hessian_ + layer.parameter(i, 0) * p_ + layer.parameter(j, 0), p_, layer.fan_in);
        for (Index a = 0; a < layer.features(); ++a)
            for (Index c = squares ? std::max(a + 1, layer.fan_in) : a + 1; c < layer.features(); ++c) {
                const bool bias = c == layer.fan_in;
                const T* from = hessian_ + layer.parameter(i, a) * p_ + layer.start(c);
                T* to = bias ? hessian_ + layer.start(a) * p_ + layer.parameter(i, c)
                             : hessian_ + layer.parameter(i, c) * p_ + layer.start(a);
                const Index step = layer.step(a) * (bias ? p_ : 1);
                for (Index j = i + 1; j < layer.width; ++j) to[j * step] = from[j * layer.step(c)];
            }
    }

    // The lower triangle from the upper, and l2: rows r · strip … of H.
    void reflect_triangle(Index r) {
        const Range rows{r * strip, std::min(p_, (r + 1) * strip)};
        for (Index i = rows.begin; i < rows.end; ++i) hessian_[i * p_ + i] += l2_;
        reflect_rows(hessian_, p_, rows);
    }

    const std::vector<Layer>& layers_;
    bool constant_loss_;
    T l2_;
    T* hessian_;
    Index p_;
};

}  // namespace hessorbit
