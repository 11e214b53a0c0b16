// Gradients of each sample's own loss ℓ_n = ℓ(f(x_n; θ), y_n), in which neither weights nor l2 have a part, and the
// empirical Fisher matrix, which is their second moment:
//
//     G[n; (l,i,a)] = ∂ℓ_n/∂W̃_l[i,a] = δ_l[i] φ_l[a],       Σ_n w_n G_nᵀ G_n
//
// for a tape whose samples have weight 1.
#pragma once

#include "propagate.hpp"

#include "kernel/chunks.hpp"
#include "kernel/symmetric.hpp"

namespace hessorbit {

// A parameter W̃_l[i, a].
struct Place {
    Index layer, neuron, feature;
};

// Where some parameters stand, given by positions in θ, or all of them if none is given.
inline std::vector<Place> places_of(const Network& network, const std::vector<Index>& parameters) {
    std::vector<Place> all(network.num_parameters()), some;
    for (Index l = 0; l < network.depth(); ++l)
        for (Index i = 0; i < network.layer(l).width; ++i)
            for (Index a = 0; a < network.layer(l).features(); ++a) all[network.layer(l).parameter(i, a)] = {l, i, a};
    for (const Index p : parameters) some.push_back(all[p]);
    return parameters.empty() ? all : some;
}

// Data whose samples all have weight 1; its features are those of the objective.
template <class T>
Data<T> with_unit_weights(const Data<T>& data, const Rows<T>& targets) {
    return {data.samples, {}, targets, Rows<T>::Ones(1, data.weight.cols()), {}, {}};
}

// Sample n alone, of weight 1.
template <class T>
Data<T> one_sample(Data<T>& data, Index n) {
    const Index columns = row_stride(1);
    Data<T> one{1, data.every_feature().col(n).replicate(1, columns), data.every_target().col(n).replicate(1, columns),
                Rows<T>::Zero(1, columns), {}, {}};
    one.weight(0, 0) = 1;
    return one;
}

// Writes G of `count` samples, the first of the tape, to gradients (count, places).
template <class T>
void write_sample_gradients(Tape<T>& tape, const std::vector<Place>& places, Index count, T* gradients) {
    const Index p = std::ssize(places);
    for (Index begin = 0; begin < count; begin += row_multiple) {  // a few rows of the result at once
        const Index end = std::min(count, begin + row_multiple);
        for (Index j = 0; j < p; ++j) {
            const T* delta = RowsView<T>(tape.delta[places[j].layer]).row(places[j].neuron);
            const T* phi = tape.phi(places[j].layer).row(places[j].feature);
            for (Index n = begin; n < end; ++n) gradients[n * p + j] = delta[n] * phi[n];
        }
    }
}

// Adds chunks to the empirical Fisher matrix of some parameters.
template <class T>
class FisherSum {
public:
    // fisher (p, p), which starts at 0.
    FisherSum(const std::vector<Place>& places, Index columns, T* fisher)
        : places_(places), p_(std::ssize(places)), gradient_(p_, row_stride(columns)),
          weighted_(p_, row_stride(columns)), fisher_(fisher) {}

    // Samples of a chunk for p parameters: each chunk passes over the whole result, and holds less than it if that is large.
    static Index capacity(Index p) { return chunk_capacity(2 * p, std::max<Index>(1 << 20, p * p / 4), 64, 512); }

    Index tiles() const { return (p_ + tile - 1) / tile; }

    // Takes over columns c of a tape; weight (1, n) is that of the chunk's samples.
    void fill(Tape<T>& tape, RowsView<T> weight, Columns c) {
        const auto w = weight.from_column(c.begin).array(0, c.size);
        for (Index j = 0; j < p_; ++j) {
            const RowsView<T> phi = tape.phi(places_[j].layer).from_column(c.begin);
            const RowsView<T> delta = RowsView<T>(tape.delta[places_[j].layer]).from_column(c.begin);
            auto gradient = RowsView<T>(gradient_).from_column(c.begin).array(j, c.size);
            gradient = delta.array(places_[j].neuron, c.size) * phi.array(places_[j].feature, c.size);
            RowsView<T>(weighted_).from_column(c.begin).array(j, c.size) = w * gradient;
        }
    }

    // Adds the first n columns to some rows of the upper triangle.
    void add(Index part, Index n) {
        const Index first = part * tile, count = std::min(tile, p_ - first);
        contract<T>(RowsView<const T>(RowsView<T>(gradient_).from_row(first)), count,
                    RowsView<const T>(RowsView<T>(weighted_).from_row(first)), p_ - first, n,
                    [&](Index i, Index j, T value) { fisher_[(first + i) * p_ + first + j] += value; });
    }

    void complete(T l2) { complete_symmetric(fisher_, p_, l2); }

private:
    static constexpr Index tile = 96;  // rows of the result that are made together

    const std::vector<Place>& places_;
    Index p_;
    Rows<T> gradient_, weighted_;
    T* fisher_;
};

}  // namespace hessorbit
