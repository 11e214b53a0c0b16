// The parameters of a principal block of the Hessian: in each layer some neurons i, and some features a of each of these.
//
// They are laid out as if the layers had these neurons and features alone, so that places in the block follow the rules
// of places in H. A set of parameters is in the smallest such block that holds it.
#pragma once

#include "../network.hpp"

namespace hessorbit {

class Selection {
public:
    // All parameters of a network.
    explicit Selection(const Network& network) : place_(network.num_parameters(), 0) { select(network); }

    // The smallest block that holds some parameters, positions in θ.
    Selection(const Network& network, const std::vector<Index>& parameters)
        : place_(network.num_parameters(), outside) {
        for (const Index p : parameters) place_[p] = 0;
        select(network);
    }

    Index size() const { return size_; }
    const std::vector<Index>& neurons(Index l) const { return neurons_[l]; }    // ascending
    const std::vector<Index>& features(Index l) const { return features_[l]; }  // ascending; fan_in is the bias
    Index neuron_rank(Index l, Index i) const { return rank(neurons_[l], i); }
    Index feature_rank(Index l, Index a) const { return rank(features_[l], a); }

    // Row and column in the block of each parameter, by its position in θ (P); below 0 outside.
    const Index* places() const { return place_.data(); }

    // The layers with the neurons and features of the block alone, numbered by rank.
    const std::vector<Layer>& layers() const { return layers_; }

private:
    static constexpr Index outside = -1;

    static Index rank(const std::vector<Index>& ascending, Index value) {
        return std::lower_bound(ascending.begin(), ascending.end(), value) - ascending.begin();
    }

    void select(const Network& network) {
        for (Index l = 0; l < network.depth(); ++l) {
            const Layer& layer = network.layer(l);
            std::vector<bool> neuron(layer.width), feature(layer.features());
            for (Index i = 0; i < layer.width; ++i)
                for (Index a = 0; a < layer.features(); ++a)
                    if (place_[layer.parameter(i, a)] != outside) neuron[i] = feature[a] = true;
            neurons_.push_back(chosen(neuron));
            features_.push_back(chosen(feature));
            add_layer(layer, features_.back(), neurons_.back());
        }
    }

    static std::vector<Index> chosen(const std::vector<bool>& whether) {
        std::vector<Index> result;
        for (Index i = 0; i < static_cast<Index>(whether.size()); ++i)
            if (whether[i]) result.push_back(i);
        return result;
    }

    void add_layer(const Layer& layer, const std::vector<Index>& features, const std::vector<Index>& neurons) {
        Layer kept{};
        kept.bias = !features.empty() && features.back() == layer.fan_in;
        kept.fan_in = static_cast<Index>(features.size()) - kept.bias;
        kept.width = static_cast<Index>(neurons.size());
        kept.weight_offset = size_;
        kept.bias_offset = size_ + kept.width * kept.fan_in;
        size_ += kept.width * kept.features();
        for (Index i = 0; i < kept.width; ++i)
            for (Index a = 0; a < kept.features(); ++a)
                place_[layer.parameter(neurons[i], features[a])] = kept.parameter(i, a);
        layers_.push_back(kept);
    }

    std::vector<std::vector<Index>> neurons_, features_;
    std::vector<Layer> layers_;
    std::vector<Index> place_;
    Index size_ = 0;
};

}  // namespace hessorbit
