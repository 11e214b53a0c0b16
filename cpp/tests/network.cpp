// Where parameters live in θ, and the multipliers of the parametrizations.
#include "problem.hpp"

#include <doctest/doctest.h>

using namespace hessorbit;
using hessorbit::testing::Problem;

TEST_CASE("θ holds W_1 row by row, b_1, W_2, b_2") {
    const Network network = Problem{.widths = {3, 2, 4}}.network();
    CHECK(network.num_parameters() == 3 * 2 + 2 + 2 * 4 + 4);
    Index position = 0;
    for (Index l = 0; l < network.depth(); ++l) {
        const Layer& layer = network.layer(l);
        for (Index i = 0; i < layer.width; ++i)
            for (Index a = 0; a < layer.fan_in; ++a) CHECK(layer.parameter(i, a) == position++);
        for (Index i = 0; i < layer.width; ++i) CHECK(layer.parameter(i, layer.fan_in) == position++);
    }
}

TEST_CASE("a layer without bias has only weights") {
    const Network network = Problem{.widths = {3, 2, 4}, .bias = false}.network();
    CHECK(network.num_parameters() == 3 * 2 + 2 * 4);
    CHECK(network.layer(1).features() == 2);
    CHECK(network.layer(1).weight_offset == 6);
}

TEST_CASE("multipliers") {
    const auto multiplier = [](Parametrization parametrization, Index layer) {
        return Problem{.widths = {4, 9, 25, 1}, .parametrization = parametrization}.network().layer(layer).multiplier<double>();
    };
    CHECK(multiplier(Parametrization::standard, 2) == 1.0);
    CHECK(multiplier(Parametrization::ntk, 0) == 1.0 / 2);
    CHECK(multiplier(Parametrization::ntk, 2) == 1.0 / 5);
    CHECK(multiplier(Parametrization::mean_field, 1) == 1.0 / 3);
    CHECK(multiplier(Parametrization::mean_field, 2) == 1.0 / 25);
}

TEST_CASE("neurons that share an activation form runs") {
    const Activation tanh{ActivationKind::tanh}, leaky{ActivationKind::leaky_relu, 0.1}, other{ActivationKind::leaky_relu, 0.2};
    const Network network({2, 5, 1}, {{tanh, tanh, leaky, other, other}, {Activation{}}}, {true, true},
                          Parametrization::standard);
    const auto& runs = network.layer(0).activations;
    REQUIRE(runs.size() == 3);
    CHECK(runs[0].count == 2);
    CHECK(runs[1].first == 2);
    CHECK(runs[2].activation.parameter == 0.2);
    CHECK(!network.layer(0).linear());
    CHECK(network.layer(1).linear());
}
