// Every derivative of one hidden layer (inputs, hidden, outputs, samples), squared error, tanh, at one and two threads,
// beside Eigen's product of the size that a Hessian's floating-point operations would make.
//
// FLOPS counts the least work each quantity needs, with P parameters, N samples and K outputs: multiplications and
// additions of the matrix products alone, so that numbers compare with those of the product.
#include "problem.hpp"

#include <benchmark/benchmark.h>

#include <Eigen/Dense>

namespace {

using namespace hessorbit;
using hessorbit::testing::Problem;

struct Case {
    Objective<double> objective;
    std::vector<double> theta;
    int threads;

    explicit Case(const benchmark::State& state)
        : objective(problem(state).objective<double>(0)), theta(problem(state).theta<double>()),
          threads(static_cast<int>(state.range(4))) {}

    static Problem problem(const benchmark::State& state) {
        return {.widths = {state.range(0), state.range(1), state.range(2)}, .samples = state.range(3)};
    }

    double samples() const { return static_cast<double>(objective.samples()); }
    double parameters() const { return static_cast<double>(objective.num_parameters()); }
    double outputs() const { return static_cast<double>(objective.network().outputs()); }
};

// Σ_l P_l²/2 for the diagonal blocks and P_1 P_2 between the layers: P²/2 in all, for each sample.
double hessian_work(const Case& c) { return c.samples() * c.parameters() * c.parameters() / 2; }

void count(benchmark::State& state, double flops) {
    state.counters["FLOPS"] = benchmark::Counter(2 * flops, benchmark::Counter::kIsIterationInvariantRate);
}

void gradient(benchmark::State& state) {
    Case c(state);
    std::vector<double> out(c.theta.size());
    double loss;
    for (auto _ : state) c.objective.value_and_gradient(c.theta.data(), 1, c.threads, &loss, out.data());
    count(state, 3 * c.samples() * c.parameters());
}

void hessian(benchmark::State& state, bool gauss_newton) {
    Case c(state);
    std::vector<double> out(c.theta.size() * c.theta.size());
    for (auto _ : state) c.objective.hessian(c.theta.data(), 1, c.threads, gauss_newton, out.data());
    count(state, hessian_work(c));
}

void jacobian(benchmark::State& state) {
    Case c(state);
    std::vector<double> out(static_cast<std::size_t>(c.samples() * c.outputs()) * c.theta.size());
    for (auto _ : state) c.objective.jacobian(c.theta.data(), 1, c.threads, out.data());
    count(state, c.samples() * c.outputs() * c.parameters());
}

void diagonal(benchmark::State& state) {
    Case c(state);
    std::vector<double> out(c.theta.size());
    for (auto _ : state) c.objective.hessian_diagonal(c.theta.data(), 1, c.threads, out.data());
    count(state, 6 * c.samples() * c.parameters());
}

void product(benchmark::State& state) {
    Case c(state);
    std::vector<double> out(c.theta.size());
    for (auto _ : state) c.objective.product(c.theta.data(), 1, c.theta.data(), 1, false, c.threads, out.data());
    count(state, 6 * c.samples() * c.parameters());
}

// Aᵀ B with A and B of shape (1000, n): one thread.
void eigen_product(benchmark::State& state) {
    const Index n = state.range(0), depth = 1000;
    const Eigen::MatrixXd a = Eigen::MatrixXd::Random(depth, n), b = Eigen::MatrixXd::Random(depth, n);
    Eigen::MatrixXd c(n, n);
    for (auto _ : state) {
        c.noalias() = a.transpose() * b;
        benchmark::DoNotOptimize(c.data());
    }
    count(state, static_cast<double>(depth * n * n));
}

void shapes(benchmark::internal::Benchmark* benchmark) {
    benchmark->ArgNames({"inputs", "hidden", "outputs", "samples", "threads"})->UseRealTime();
    benchmark->Unit(benchmark::kMicrosecond);
    for (int threads : {1, 2})
        for (const auto& [inputs, hidden, outputs, samples] : std::vector<std::array<std::int64_t, 4>>{
                 {2, 10, 1, 100}, {2, 10, 1, 1000}, {2, 10, 1, 10000}, {2, 50, 1, 1000}, {2, 100, 1, 1000},
                 {10, 20, 1, 1000}, {10, 50, 1, 1000}, {20, 50, 5, 2000}})
            benchmark->Args({inputs, hidden, outputs, samples, threads});
}

BENCHMARK(gradient)->Apply(shapes);
BENCHMARK_CAPTURE(hessian, exact, false)->Apply(shapes);
BENCHMARK_CAPTURE(hessian, gauss_newton, true)->Apply(shapes);
BENCHMARK(jacobian)->Apply(shapes);
BENCHMARK(diagonal)->Apply(shapes);
BENCHMARK(product)->Apply(shapes);
BENCHMARK(eigen_product)->ArgName("n")->RangeMultiplier(2)->Range(16, 1024)->Unit(benchmark::kMicrosecond);

}  // namespace
