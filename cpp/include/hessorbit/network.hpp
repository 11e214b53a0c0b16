// The network: shapes, activations, and where each parameter lives in θ.
//
//     z_l = W̃_l φ_l,   W̃_l = [W_l b_l],   φ_l = (s_l a_{l-1}, 1),   a_l = σ_l(z_l),   a_0 = x,   f = a_L
//
// φ_l, the features of layer l, carry the multiplier s_l of the parametrization and the constant one of the bias, so
// that no formula downstream knows of either. θ holds W_1 (row-major), b_1, W_2, b_2, … as torch orders them.
// Layers are counted from 0 in code: layer l maps φ_l to z_l.
#pragma once

#include "activation.hpp"
#include "kernel/rows.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>
#include <vector>

namespace hessorbit {

enum class Parametrization { standard, ntk, mean_field };

// Neurons first … first + count − 1 of a layer share one activation.
struct ActivationRun {
    Activation activation;
    Index first, count;

    bool holds(const Activation& other) const {
        return activation.kind == other.kind && activation.parameter == other.parameter;
    }
};

struct Layer {
    Index fan_in, width;
    bool bias;
    int multiplier_power;  // s_l = fan_in^(−power/2)
    std::vector<ActivationRun> activations;
    Index weight_offset, bias_offset;

    Index features() const { return fan_in + (bias ? 1 : 0); }

    // Gives the next `count` neurons an activation.
    void add(const Activation& activation, Index count) {
        if (!activations.empty() && activations.back().holds(activation)) {
            activations.back().count += count;
            return;
        }
        const Index first = activations.empty() ? 0 : activations.back().first + activations.back().count;
        activations.push_back({activation, first, count});
    }

    // Position in θ of W̃[i, a]; a == fan_in is the bias.
    Index parameter(Index i, Index a) const { return start(a) + i * step(a); }
    Index start(Index a) const { return a < fan_in ? weight_offset + a : bias_offset; }
    Index step(Index a) const { return a < fan_in ? fan_in : 1; }

    template <class T>
    T multiplier() const {
        using std::sqrt;
        const T n = static_cast<T>(fan_in);
        return multiplier_power == 0 ? T(1) : multiplier_power == 1 ? 1 / sqrt(n) : 1 / n;
    }

    // Whether σ'' is not zero everywhere.
    bool bends() const {
        return !std::all_of(activations.begin(), activations.end(), [](const ActivationRun& run) {
            const auto properties = activation_table[static_cast<std::size_t>(run.activation.kind)].properties;
            return properties(run.activation.parameter).positively_homogeneous;
        });
    }

    bool linear() const {
        return std::all_of(activations.begin(), activations.end(),
                           [](const ActivationRun& run) { return run.activation.kind == ActivationKind::identity; });
    }
};

class Network {
public:
    // Of each layer, the runs that its neurons are, in their order.
    using Runs = std::vector<std::vector<ActivationRun>>;

    // runs[l] has widths[l + 1] neurons; biases one entry per layer. Throws std::length_error where no Index counts the
    // parameters.
    static Network of_runs(const std::vector<Index>& widths, const Runs& runs, const std::vector<bool>& biases,
                           Parametrization parametrization) {
        Network result;
        const Index depth = static_cast<Index>(widths.size()) - 1;
        for (Index l = 0; l < depth; ++l) {
            Layer layer{};
            layer.fan_in = widths[l];
            layer.width = widths[l + 1];
            layer.bias = biases[l];
            const bool last = l == depth - 1;
            layer.multiplier_power = parametrization == Parametrization::standard             ? 0
                                     : parametrization == Parametrization::mean_field && last ? 2
                                                                                              : 1;
            Index weights, size;
            if (layer.fan_in < 1 || layer.width < 1 || __builtin_mul_overflow(layer.width, layer.fan_in, &weights) ||
                __builtin_add_overflow(weights, layer.bias ? layer.width : 0, &size) ||
                __builtin_add_overflow(result.size_, size, &size) || size > most_parameters)
                throw std::length_error("widths: the network has too many parameters to count");
            layer.weight_offset = result.size_;
            layer.bias_offset = result.size_ + weights;
            result.size_ = size;
            for (const ActivationRun& run : runs[l]) layer.add(run.activation, run.count);
            result.layers_.push_back(std::move(layer));
        }
        return result;
    }

    // The same with one activation for each neuron.
    Network(const std::vector<Index>& widths, const std::vector<std::vector<Activation>>& activations,
            const std::vector<bool>& biases, Parametrization parametrization) {
        Runs runs;
        for (const std::vector<Activation>& layer : activations) {
            runs.emplace_back();
            for (const Activation& activation : layer) runs.back().push_back({activation, 0, 1});
        }
        *this = of_runs(widths, runs, biases, parametrization);
    }

    Index depth() const { return static_cast<Index>(layers_.size()); }
    Index inputs() const { return layers_.front().fan_in; }
    Index outputs() const { return layers_.back().width; }
    Index num_parameters() const { return size_; }
    const Layer& layer(Index l) const { return layers_[l]; }
    const Layer& last() const { return layers_.back(); }
    bool one_hidden_one_output() const { return depth() == 2 && outputs() == 1; }

private:
    Network() = default;

    // So that the bytes of a Hessian in long double do not overflow either.
    static constexpr Index most_parameters = Index(1) << 29;

    std::vector<Layer> layers_;
    Index size_ = 0;
};

// θ unpacked for the products: W̃_l as a matrix, and V_l = s_l W_lᵀ, which carries derivatives backward.
template <class T>
struct Parameters {
    std::vector<Matrix<T>> forward;   // W̃_l (width, features)
    std::vector<Matrix<T>> backward;  // V_l (fan_in, width)

    explicit Parameters(const Network& network) {
        for (Index l = 0; l < network.depth(); ++l) {
            const Layer& layer = network.layer(l);
            forward.emplace_back(layer.width, layer.features());
            backward.emplace_back(layer.fan_in, layer.width);
        }
    }

    void unpack(const Network& network, const T* theta) {
        for (Index l = 0; l < network.depth(); ++l) {
            const Layer& layer = network.layer(l);
            const T s = layer.multiplier<T>();
            for (Index i = 0; i < layer.width; ++i) {
                for (Index a = 0; a < layer.features(); ++a) forward[l](i, a) = theta[layer.parameter(i, a)];
                for (Index a = 0; a < layer.fan_in; ++a) backward[l](a, i) = s * forward[l](i, a);
            }
        }
    }
};

}  // namespace hessorbit
