// A random network with random data, the same numbers at every precision.
#pragma once

#include <hessorbit/objective.hpp>

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace hessorbit::testing {

// Uniform in (−1, 1), the same on every platform; exact in float64.
class Uniform {
public:
    explicit Uniform(std::uint64_t seed) : engine_(seed) {}

    template <class T>
    std::vector<T> draw(Index count) {
        std::vector<T> values(static_cast<std::size_t>(count));
        for (T& value : values) value = static_cast<T>(static_cast<double>(engine_() >> 11) / 4503599627370496.0 - 1);
        return values;
    }

private:
    std::mt19937_64 engine_;
};

struct Problem {
    std::string name{};
    std::vector<Index> widths{};
    ActivationKind hidden = ActivationKind::tanh, output = ActivationKind::identity;
    Loss loss{};
    Parametrization parametrization = Parametrization::standard;
    Index samples = 13;
    bool bias = true;

    Network network() const {
        std::vector<std::vector<Activation>> activations;
        for (std::size_t l = 1; l < widths.size(); ++l)
            activations.emplace_back(widths[l], Activation{l + 1 < widths.size() ? hidden : output, 0.2});
        return Network(widths, activations, std::vector<bool>(widths.size() - 1, bias), parametrization);
    }

    template <class T>
    std::vector<T> theta() const {
        return Uniform(1).draw<T>(network().num_parameters());
    }

    template <class T>
    Objective<T> objective(T l2 = T(0.25)) const {
        Uniform uniform(2);
        const Network net = network();
        const std::vector<T> x = uniform.draw<T>(samples * net.inputs());
        std::vector<T> y = uniform.draw<T>(samples * net.outputs()), weight = uniform.draw<T>(samples);
        for (T& w : weight) w += 1;
        if (loss.kind != LossKind::squared_error)
            for (T& target : y) target = (target + 1) / 2;
        return Objective<T>(net, loss, l2, make_data(net, samples, x.data(), y.data(), weight.data()));
    }
};

inline std::vector<Problem> problems() {
    return {
        {.name = "linear", .widths = {3, 2}},
        {.name = "shallow", .widths = {2, 5, 1}},
        {.name = "gelu", .widths = {3, 4, 2}, .hidden = ActivationKind::gelu, .loss = {LossKind::cross_entropy}},
        {.name = "many outputs", .widths = {2, 3, 70}, .loss = {LossKind::cross_entropy}},
        {.name = "deep", .widths = {2, 3, 4, 3, 2}, .hidden = ActivationKind::softplus, .loss = {LossKind::logistic}},
        {.name = "two layers, many outputs", .widths = {2, 3, 4, 9}, .loss = {LossKind::cross_entropy}},
        {.name = "three layers, many outputs", .widths = {2, 3, 5, 4, 7}, .loss = {LossKind::poisson}},
        {.name = "four layers, as many outputs", .widths = {2, 3, 5, 4, 3, 3}},
        {.name = "no curvature", .widths = {2, 3, 4, 9}, .hidden = ActivationKind::identity, .loss = {LossKind::logistic}},
        {.name = "bent classes", .widths = {2, 3, 4, 3}, .output = ActivationKind::softplus, .loss = {LossKind::cross_entropy}},
        {.name = "bent output", .widths = {2, 3, 2}, .hidden = ActivationKind::silu, .output = ActivationKind::sigmoid},
        {.name = "mean field, no bias", .widths = {3, 4, 4, 2}, .parametrization = Parametrization::mean_field, .bias = false},
        {.name = "many samples", .widths = {2, 3, 2}, .hidden = ActivationKind::erf, .samples = 5000},
    };
}

}  // namespace hessorbit::testing
