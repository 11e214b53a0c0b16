// Group elements: the function they preserve, and the pairings that transport of derivatives must keep.
#include "problem.hpp"

#include <doctest/doctest.h>

#include <hessorbit/even_linear.hpp>
#include <hessorbit/orbit.hpp>

using namespace hessorbit;
using hessorbit::testing::Uniform;

namespace {

constexpr Activation identity{ActivationKind::identity}, relu{ActivationKind::relu}, sigmoid{ActivationKind::sigmoid},
    square{ActivationKind::square}, exponential{ActivationKind::exp}, gelu{ActivationKind::gelu};

// One neuron or two of every law, linear ones on either side of the others.
Network mixed_network() {
    return Network({2, 7, 4, 3}, {{identity, relu, relu, sigmoid, square, exponential, identity},
                                  {sigmoid, sigmoid, identity, identity}, {identity, identity, identity}},
                   {true, true, true}, Parametrization::mean_field);
}

// What `mixed_network` allows: scales, signs, places, shifts, and a matrix for the linear neurons of each layer.
template <class T>
std::vector<LayerAction<T>> mixed_actions() {
    LayerAction<T> first{{0, 2, 1, 3, 4, 5, 6}, {1, T(2), T(0.25), -1, T(-4), 1, 1}, {}, {}, {}, {0, 6}, {}, {}};
    first.shift = {T(0.5), 0, 0, 0, 0, T(0.25), -1};
    first.outgoing = {1, T(2), T(0.25), -1, T(16), std::exp(T(0.25)), 1};
    first.constant = {T(0.5), 0, 0, 1, 0, 0, -1};
    first.matrix = (Matrix<T>(2, 2) << 2, 1, 1, 1).finished();
    first.inverse = (Matrix<T>(2, 2) << 1, -1, -1, 2).finished();
    LayerAction<T> second{{1, 0, 2, 3}, {-1, 1, 1, 1}, {-1, 1, 1, 1}, {1, 0, 0, 0}, {0, 0, 0, 0}, {2, 3}, {}, {}};
    second.matrix = (Matrix<T>(2, 2) << 1, 2, 0, T(0.5)).finished();
    second.inverse = (Matrix<T>(2, 2) << 1, -4, 0, 2).finished();
    return {first, second};
}

template <class T>
std::vector<T> outputs(const Network& network, const std::vector<T>& theta) {
    constexpr Index samples = 11;
    const std::vector<T> x = Uniform(3).draw<T>(samples * network.inputs()), y(samples * network.outputs()),
                         weight(samples, T(1));
    Objective<T> objective(network, Loss{}, T(0),
                           make_data(network, samples, x.data(), y.data(), weight.data()));
    std::vector<T> result(samples * network.outputs());
    objective.outputs(theta.data(), 1, 1, result.data());
    return result;
}

template <class T>
T dot(const std::vector<T>& a, const std::vector<T>& b) {
    T sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
    return sum;
}

template <class T>
std::vector<T> times(const std::vector<T>& matrix, const std::vector<T>& v) {
    std::vector<T> result(v.size());
    for (std::size_t i = 0; i < v.size(); ++i)
        for (std::size_t j = 0; j < v.size(); ++j) result[i] += matrix[i * v.size() + j] * v[j];
    return result;
}

// Numbers here are sums of at most a few hundred terms of order one, times factors up to 16.
template <class T>
T tolerance() { return 4096 * std::numeric_limits<T>::epsilon(); }

template <class T>
void check_close(const std::vector<T>& actual, const std::vector<T>& expected) {
    REQUIRE(actual.size() == expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i)
        CHECK(static_cast<double>(std::abs(actual[i] - expected[i])) <= static_cast<double>(tolerance<T>()));
}

}  // namespace

TEST_CASE_TEMPLATE("elements preserve the function", T, double, long double) {
    const Network network = mixed_network();
    std::vector<T> theta = Uniform(1).draw<T>(network.num_parameters());
    const std::vector<T> before = outputs(network, theta);
    GroupElement<T>(network, mixed_actions<T>()).act(theta.data());
    check_close(outputs(network, theta), before);
}

TEST_CASE_TEMPLATE("gradients pair with displacements as before", T, double, long double) {
    const Network network = mixed_network();
    const GroupElement<T> element(network, mixed_actions<T>());
    Uniform uniform(2);
    const Index p = network.num_parameters();
    std::vector<T> gradient = uniform.draw<T>(p), theta = uniform.draw<T>(p), displaced = uniform.draw<T>(p);
    const T before = dot(gradient, displaced) - dot(gradient, theta);
    element.transport_gradient(gradient.data());
    element.act(theta.data()), element.act(displaced.data());
    CHECK(static_cast<double>(std::abs(dot(gradient, displaced) - dot(gradient, theta) - before)) <=
          static_cast<double>(tolerance<T>()));
}

TEST_CASE_TEMPLATE("A⁻ᵀ H A⁻¹ is transport of each column, then of each row", T, double, long double) {
    const Network network = mixed_network();
    const GroupElement<T> element(network, mixed_actions<T>());
    Uniform uniform(4);
    const Index p = network.num_parameters();
    const std::vector<T> left = uniform.draw<T>(p), right = uniform.draw<T>(p), zero(p);
    std::vector<T> h = uniform.draw<T>(p * p), moved(p * p);
    element.transport_hessian(h.data(), moved.data());

    // u ᵀ A⁻ᵀ H A⁻¹ v at u = A a, v = A b is aᵀ H b.
    const auto displacement = [&](std::vector<T> v) {
        std::vector<T> origin = zero;
        element.act(v.data()), element.act(origin.data());
        for (Index i = 0; i < p; ++i) v[i] -= origin[i];
        return v;
    };
    const T expected = dot(left, times(h, right));
    const T actual = dot(displacement(left), times(moved, displacement(right)));
    CHECK(static_cast<double>(std::abs(actual - expected)) <= static_cast<double>(64 * tolerance<T>()));
}

TEST_CASE_TEMPLATE("even-linear neurons turn around where linear neurons carry the rest", T, double, long double) {
    for (const Activation activation : {relu, gelu})
        for (const bool bias : {true, false}) {
            const Network network({2, 5, 2}, {{activation, identity, activation, identity, activation}, {identity, identity}},
                                  {true, bias}, Parametrization::ntk);
            std::vector<T> theta = Uniform(5).draw<T>(network.num_parameters());
            const std::vector<T> original = theta, before = outputs(network, theta);
            const EvenLinearFlip<T> flip(network, 0, {0, 4}, {1, 3}, {});
            const auto outcome = flip.act(theta.data());
            CHECK(static_cast<double>(outcome.remainder) <= static_cast<double>(tolerance<T>()));
            CHECK(theta[network.layer(0).parameter(4, 1)] == -original[network.layer(0).parameter(4, 1)]);
            check_close(outputs(network, theta), before);
            flip.act(theta.data());
            check_close(theta, original);
        }
}

TEST_CASE("without carriers the whole remainder is left") {
    const Network network({2, 3, 1}, {{gelu, gelu, gelu}, {identity}}, {false, false}, Parametrization::standard);
    std::vector<double> theta = Uniform(6).draw<double>(network.num_parameters());
    CHECK(EvenLinearFlip<double>(network, 0, {1}, {}, {}).act(theta.data()).remainder == 1);
}
