// Moments of a pair of neurons, for the derivatives of an order, and the population loss of 20 + 5 neurons with 10 inputs
// on one thread: in closed form (erf, relu, gelu), with one integral (elu) and with two (tanh).
#include <hessorbit/population/loss.hpp>

#include "problem.hpp"

#include <benchmark/benchmark.h>

namespace {

using namespace hessorbit;
using namespace hessorbit::population;

void pair(benchmark::State& state, ActivationKind kind) {
    const Shape shape{{kind}};
    const Plane plane{1.1, 0.3, 0.4, 0.6, -0.2};
    const int order = static_cast<int>(state.range(0));
    PairQuadrature quadrature;
    const bool closed = has_closed_form(shape, shape);
    for (auto _ : state)
        benchmark::DoNotOptimize(closed ? ClosedForm<double>(shape, shape)(plane, order)
                                        : quadrature({}, shape, shape, plane, order));
}

void loss(benchmark::State& state, ActivationKind kind) {
    constexpr Index inputs = 10, students = 20, neurons = 25, p = students * (inputs + 2) + 1;
    hessorbit::testing::Uniform uniform(1);
    const auto w = uniform.draw<double>(neurons * inputs), b = uniform.draw<double>(neurons);
    const auto v = uniform.draw<double>(neurons + 1);
    population::Loss loss(std::vector<Activation>(neurons, {kind}), students, {});
    std::vector<double> gradient(p), hessian(p * p);
    const bool curved = state.range(0) > 1;
    for (auto _ : state)
        benchmark::DoNotOptimize(loss(w.data(), b.data(), v.data(), inputs, 1, 1, 1, gradient.data(),
                                      curved ? hessian.data() : nullptr, Curvature::hessian));
}

#define HESSORBIT_POPULATION(kind)                                                                     \
    BENCHMARK_CAPTURE(pair, kind, ActivationKind::kind)->Arg(1)->Arg(2);                              \
    BENCHMARK_CAPTURE(loss, kind, ActivationKind::kind)->Arg(1)->Arg(2)->Unit(benchmark::kMicrosecond)

HESSORBIT_POPULATION(erf);
HESSORBIT_POPULATION(relu);
HESSORBIT_POPULATION(gelu);
HESSORBIT_POPULATION(elu);
HESSORBIT_POPULATION(tanh);

}  // namespace
