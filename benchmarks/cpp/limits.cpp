// Hessians, gradients and steps of descent on one thread: the least seconds of a call, or of a step.
//
// benchmarks/python/limits.py runs this, counts the multiply-adds of each case by its name, and sets its time beside the
// least that they allow, at the rate of fused multiply-adds of registers, which is measured here.
#include "problem.hpp"

#include <hessorbit/descent.hpp>
#include <hessorbit/kernel/simd.hpp>

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <limits>

namespace {

using namespace hessorbit;
using hessorbit::testing::Problem;
using Clock = std::chrono::steady_clock;

template <class Call>
double seconds(int count, const Call& call) {
    const auto start = Clock::now();
    for (int i = 0; i < count; ++i) call();
    return std::chrono::duration<double>(Clock::now() - start).count();
}

// Least seconds of a call, of as many in a row as fill some microseconds.
template <class Call>
double least_seconds(benchmark::State& state, const Call& call) {
    constexpr double long_enough = 20e-6;
    double least = std::numeric_limits<double>::infinity();
    int count = 1;
    for (auto _ : state) {
        const double all = seconds(count, call);
        least = std::min(least, all / count);
        if (all < long_enough) count *= 2;
    }
    return least;
}

// Chains of multiply-adds that hide each other's latency, all in registers.
constexpr int chains = 12, rounds = 1000;

void multiply_adds() {
    using V = Register<double>;
    V sum[chains], a = constant<V>(0.5), b = constant<V>(1);
    for (int i = 0; i < chains; ++i) sum[i] = constant<V>(i);
    for (int round = 0; round < rounds; ++round)
        for (int i = 0; i < chains; ++i) sum[i] = multiply_add(sum[i], a, b);
    benchmark::DoNotOptimize(sum);
}

void rate_of_registers(benchmark::State& state) {
    constexpr double count = chains * rounds * double(Lanes<double>::count);
    state.counters["multiply_adds"] = count / least_seconds(state, multiply_adds);  // a second
}

// The Hessian of each of a batch.
void hessian(benchmark::State& state, const Problem& p, Index batch = 1) {
    Objective<double> objective = p.objective<double>(0);
    const Index parameters = p.network().num_parameters();
    const std::vector<double> theta = testing::Uniform(1).draw<double>(batch * parameters);
    std::vector<double> out(theta.size() * static_cast<std::size_t>(parameters));
    const double least = least_seconds(state, [&] { objective.hessian(theta.data(), batch, 1, false, out.data()); });
    state.counters["seconds"] = least / static_cast<double>(batch);
}

void gradient(benchmark::State& state, const Problem& p) {
    Objective<double> objective = p.objective<double>(0);
    const std::vector<double> theta = p.theta<double>();
    std::vector<double> out(theta.size());
    double loss;
    state.counters["seconds"] =
        least_seconds(state, [&] { objective.value_and_gradient(theta.data(), 1, 1, &loss, out.data()); });
}

void descent(benchmark::State& state, const Problem& p, DescentMethod method) {
    constexpr Index steps = 200;
    const Objective<double> narrow = p.objective<double>(0);
    FullRangeObjective objective(narrow.network(), p.loss, 0, narrow.data(), nullptr);  // nothing here leaves the range
    const std::vector<double> theta = p.theta<double>();
    Descent run(objective, theta.data(), {.method = method, .learning_rate = 1e-3}, 1);
    state.counters["seconds"] = least_seconds(state, [&] { run.advance(steps, 0, 0); }) / steps;
}

constexpr Loss classes{LossKind::cross_entropy};
constexpr auto gelu = ActivationKind::gelu, relu = ActivationKind::relu;

#define HESSORBIT_CASE(call, name, ...) BENCHMARK_CAPTURE(call, name, __VA_ARGS__)->Unit(benchmark::kMicrosecond)

BENCHMARK(rate_of_registers)->Unit(benchmark::kMicrosecond);

HESSORBIT_CASE(hessian, 2_10_1_100, Problem{.widths = {2, 10, 1}, .samples = 100});
HESSORBIT_CASE(hessian, 2_10_1_1000, Problem{.widths = {2, 10, 1}, .samples = 1000});
HESSORBIT_CASE(hessian, 2_10_1_10000, Problem{.widths = {2, 10, 1}, .samples = 10000});
HESSORBIT_CASE(hessian, 2_50_1_1000, Problem{.widths = {2, 50, 1}, .samples = 1000});
HESSORBIT_CASE(hessian, 2_100_1_1000, Problem{.widths = {2, 100, 1}, .samples = 1000});
HESSORBIT_CASE(hessian, 10_20_1_1000, Problem{.widths = {10, 20, 1}, .samples = 1000});
HESSORBIT_CASE(hessian, 10_50_1_1000, Problem{.widths = {10, 50, 1}, .samples = 1000});
HESSORBIT_CASE(hessian, 20_50_5_2000, Problem{.widths = {20, 50, 5}, .samples = 2000});
HESSORBIT_CASE(hessian, 10_100_1_2000, Problem{.widths = {10, 100, 1}, .samples = 2000});
HESSORBIT_CASE(hessian, 50_40_1_4000, Problem{.widths = {50, 40, 1}, .samples = 4000});
HESSORBIT_CASE(hessian, 20_50_1_2000, Problem{.widths = {20, 50, 1}, .samples = 2000});
HESSORBIT_CASE(hessian, 10_50_10_1000_classes, Problem{.widths = {10, 50, 10}, .loss = classes, .samples = 1000});
HESSORBIT_CASE(hessian, 5_20_10_500_classes, Problem{.widths = {5, 20, 10}, .loss = classes, .samples = 500});
HESSORBIT_CASE(hessian, 5_30_30_1_1000_gelu, Problem{.widths = {5, 30, 30, 1}, .hidden = gelu, .samples = 1000});
HESSORBIT_CASE(hessian, 5_30_30_1_1000_relu, Problem{.widths = {5, 30, 30, 1}, .hidden = relu, .samples = 1000});
HESSORBIT_CASE(hessian, 10_64_64_3_1000_gelu, Problem{.widths = {10, 64, 64, 3}, .hidden = gelu, .samples = 1000});
HESSORBIT_CASE(hessian, 10_64_64_3_1000_gelu_classes,
               Problem{.widths = {10, 64, 64, 3}, .hidden = gelu, .loss = classes, .samples = 1000});
HESSORBIT_CASE(hessian, 2_10_1_100_batch, Problem{.widths = {2, 10, 1}, .samples = 100}, 1000);

HESSORBIT_CASE(gradient, 2_10_1_100, Problem{.widths = {2, 10, 1}, .samples = 100});
HESSORBIT_CASE(gradient, 2_50_1_1000, Problem{.widths = {2, 50, 1}, .samples = 1000});
HESSORBIT_CASE(gradient, 10_50_1_1000, Problem{.widths = {10, 50, 1}, .samples = 1000});
HESSORBIT_CASE(gradient, 10_100_1_10000, Problem{.widths = {10, 100, 1}, .samples = 10000});
HESSORBIT_CASE(gradient, 10_50_10_1000_classes, Problem{.widths = {10, 50, 10}, .loss = classes, .samples = 1000});

HESSORBIT_CASE(descent, gd_5_20_1_500, Problem{.widths = {5, 20, 1}, .samples = 500}, DescentMethod::gd);
HESSORBIT_CASE(descent, adam_5_20_1_500, Problem{.widths = {5, 20, 1}, .samples = 500}, DescentMethod::adam);
HESSORBIT_CASE(descent, adam_5_20_1_500_gelu, Problem{.widths = {5, 20, 1}, .hidden = gelu, .samples = 500},
               DescentMethod::adam);
HESSORBIT_CASE(descent, adam_5_80_1_500_gelu, Problem{.widths = {5, 80, 1}, .hidden = gelu, .samples = 500},
               DescentMethod::adam);

}  // namespace
