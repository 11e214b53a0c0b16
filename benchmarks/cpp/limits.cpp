// Hessians, gradients and steps of descent on one thread, each beside the least time that its arithmetic allows.
//
// The limit of a case is (multiply-adds + values · multiplications of an activation) over the rate of fused multiply-adds
// of registers, which is measured; what is loaded, stored, added or waited for counts nothing. Counters give the least time
// of a call and the limit, in microseconds, and the share that the limit is of the time.
//
// With F_l = d_{l−1} + 1 features of layer l, d_l neurons, t(n) = n (n + 1)/2, K outputs, a sample takes
//     gradient   Σ_l 3 d_{l−1} d_l − d_0 d_1 + 2 Σ_l d_l
//     hessian    t(F_l) t(d_l) within and F_l F_m d_l d_m between hidden layers, K d_l F_l F_L between a hidden layer and the
//                output (once instead of K times for squared error and the last hidden layer), t(F_L) within the output
//                (t(K) times for cross-entropy), and the gradient
//                for two hidden layers l < m also d_q a pair of neurons for each layer q between m and the output, and for
//                layers l < m, up to the output, d_l d_m F_l, d_{m−1} times as many unless m = l + 1; and
//                t(F_l) d_l in the last hidden layer, where how neurons curve is a product of its own
#include "problem.hpp"

#include <hessorbit/descent.hpp>
#include <hessorbit/kernel/simd.hpp>

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cmath>
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

// Multiply-adds a second of one core.
double peak() {
    static const double rate = [] {
        double least = std::numeric_limits<double>::infinity();
        for (int i = 0; i < 2000; ++i) least = std::min(least, seconds(1, multiply_adds));
        return chains * rounds * double(Lanes<double>::count) / least;
    }();
    return rate;
}

void rate_of_registers(benchmark::State& state) {
    for (auto _ : state) multiply_adds();
    state.counters["Gflops"] = 2e-9 * peak();
}

// Multiplications in the formulas of σ with σ', and with σ''.
double multiplications(ActivationKind kind, bool curved) {
    switch (kind) {
        case ActivationKind::tanh: return curved ? 25 : 18;
        case ActivationKind::gelu: return curved ? 54 : 52;
        default: return 0;  // relu
    }
}

double hidden_values(const Problem& p, bool curved) {
    double neurons = 0;
    for (std::size_t l = 1; l + 1 < p.widths.size(); ++l) neurons += static_cast<double>(p.widths[l]);
    return neurons * multiplications(p.hidden, curved);
}

double gradient_work(const Problem& p) {
    double work = -static_cast<double>(p.widths[0] * p.widths[1]);
    for (std::size_t l = 1; l < p.widths.size(); ++l)
        work += static_cast<double>(3 * p.widths[l - 1] * p.widths[l] + 2 * p.widths[l]);
    return work;
}

double triangle(double n) { return n * (n + 1) / 2; }

// As in hessian/products.hpp: pairs of features are formed for each neuron, and how it curves is a product of its own.
bool ranks_one(double features, double neurons, double outputs, bool alike) {
    const double pairs = triangle(features), groups = std::ceil(triangle(neurons) / large_group);
    return (outputs == 1 || alike) && pairs * neurons <= triangle(neurons) + groups * pairs;
}

double hessian_work(const Problem& p) {
    const std::vector<double> d(p.widths.begin() + 1, p.widths.end());
    std::vector<double> f;
    for (std::size_t l = 0; l + 1 < p.widths.size(); ++l) f.push_back(static_cast<double>(p.widths[l] + 1));
    const std::size_t top = d.size() - 1;
    const double outputs = d[top];
    const bool alike = p.loss.kind == LossKind::squared_error;
    double work = triangle(f[top]) * (alike ? 1 : triangle(outputs));
    for (std::size_t l = 0; l < top; ++l) {
        for (std::size_t m = l; m < top; ++m) {
            const double neurons = l == m ? triangle(d[l]) : d[l] * d[m];
            work += neurons * (l == m ? triangle(f[l]) : f[l] * f[m]);
            for (std::size_t q = m + 1; q < top; ++q) work += neurons * d[q];
        }
        work += (alike && l + 1 == top ? 1 : outputs) * d[l] * f[l] * f[top];
        for (std::size_t m = l + 1; m <= top; ++m)
            work += (m == l + 1 ? 1 : d[m - 1]) * d[l] * d[m] * f[l];
        if (l + 1 == top && ranks_one(f[l], d[l], outputs, alike)) work += triangle(f[l]) * d[l];
    }
    return work + gradient_work(p);
}

void report(benchmark::State& state, double least, double multiply_adds) {
    const double limit = multiply_adds / peak();
    state.counters["time_us"] = 1e6 * least;
    state.counters["limit_us"] = 1e6 * limit;
    state.counters["share"] = limit / least;
}

void hessian(benchmark::State& state, const Problem& p) {
    Objective<double> objective = p.objective<double>(0);
    const std::vector<double> theta = p.theta<double>();
    std::vector<double> out(theta.size() * theta.size());
    const double least = least_seconds(state, [&] { objective.hessian(theta.data(), 1, 1, false, out.data()); });
    report(state, least, static_cast<double>(p.samples) * (hessian_work(p) + hidden_values(p, true)));
}

void hessians(benchmark::State& state, const Problem& p) {
    constexpr Index batch = 1000;
    Objective<double> objective = p.objective<double>(0);
    const std::vector<double> theta = testing::Uniform(1).draw<double>(batch * p.network().num_parameters());
    std::vector<double> out(theta.size() * static_cast<std::size_t>(p.network().num_parameters()));
    const double least = least_seconds(state, [&] { objective.hessian(theta.data(), batch, 1, false, out.data()); });
    report(state, least / batch, static_cast<double>(p.samples) * (hessian_work(p) + hidden_values(p, true)));
}

void gradient(benchmark::State& state, const Problem& p) {
    Objective<double> objective = p.objective<double>(0);
    const std::vector<double> theta = p.theta<double>();
    std::vector<double> out(theta.size());
    double loss;
    const double least =
        least_seconds(state, [&] { objective.value_and_gradient(theta.data(), 1, 1, &loss, out.data()); });
    report(state, least, static_cast<double>(p.samples) * (gradient_work(p) + hidden_values(p, false)));
}

void descent(benchmark::State& state, const Problem& p, DescentMethod method) {
    constexpr Index steps = 200;
    const Objective<double> narrow = p.objective<double>(0);
    FullRangeObjective objective(narrow.network(), p.loss, 0, narrow.data(), nullptr);  // nothing here leaves the range
    const std::vector<double> theta = p.theta<double>();
    Descent run(objective, theta.data(), {.method = method, .learning_rate = 1e-3}, 1);
    const double least = least_seconds(state, [&] { run.advance(steps, 0, 0); });
    report(state, least / steps, static_cast<double>(p.samples) * (gradient_work(p) + hidden_values(p, false)));
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
HESSORBIT_CASE(hessians, 2_10_1_100, Problem{.widths = {2, 10, 1}, .samples = 100});

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
