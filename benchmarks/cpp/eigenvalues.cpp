// The steps to all eigenvalues of a symmetric matrix, and an LDLᵀ of it, by rows and threads: to a band, to a tridiagonal
// matrix, and the eigenvalues of that.
#include <hessorbit/eigenvalues.hpp>
#include <hessorbit/ldlt.hpp>

#include "problem.hpp"

#include <benchmark/benchmark.h>

namespace {

using namespace hessorbit;

std::vector<double> symmetric_matrix(Index n) {
    hessorbit::testing::Uniform uniform(1);
    std::vector<double> matrix = uniform.draw<double>(n * n);
    for (Index i = 0; i < n; ++i)
        for (Index j = 0; j < i; ++j)
            matrix[static_cast<std::size_t>(i * n + j)] = matrix[static_cast<std::size_t>(j * n + i)];
    return matrix;
}

struct Problem {
    explicit Problem(const benchmark::State& state)
        : size(state.range(0)), threads(static_cast<int>(state.range(1))), matrix(symmetric_matrix(size)) {}

    Band band() const { return BandReduction(matrix.data(), size, threads)(); }

    const Index size;
    const int threads;
    const std::vector<double> matrix;
};

void to_band(benchmark::State& state) {
    const Problem problem(state);
    for (auto _ : state) benchmark::DoNotOptimize(problem.band());
}

void to_tridiagonal(benchmark::State& state) {
    const Problem problem(state);
    const Band reduced = problem.band();
    for (auto _ : state) {
        Band band = reduced;
        BulgeChasing(band, problem.size, problem.threads);
        benchmark::DoNotOptimize(band.at(0, 0));
    }
}

void values(benchmark::State& state) {
    const Problem problem(state);
    std::vector<double> diagonal(problem.matrix.begin(), problem.matrix.begin() + problem.size), beside = diagonal;
    beside.pop_back();
    const Tridiagonal tridiagonal(std::move(diagonal), beside);
    for (auto _ : state) benchmark::DoNotOptimize(tridiagonal.eigenvalues(problem.threads));
}

void all(benchmark::State& state) {
    const Problem problem(state);
    for (auto _ : state)
        benchmark::DoNotOptimize(symmetric_eigenvalues(problem.matrix.data(), problem.size, problem.threads));
}

void ldlt(benchmark::State& state) {
    const Problem problem(state);
    for (auto _ : state) benchmark::DoNotOptimize(Ldlt(problem.matrix.data(), problem.size, 0.0, problem.threads));
}

void sizes(benchmark::internal::Benchmark* of) {
    of->ArgsProduct({{64, 200, 400, 800, 1201, 2001}, {1, 2}})->Unit(benchmark::kMillisecond)->UseRealTime();
}

BENCHMARK(to_band)->Apply(sizes);
BENCHMARK(to_tridiagonal)->Apply(sizes);
BENCHMARK(values)->Apply(sizes);
BENCHMARK(all)->Apply(sizes);
BENCHMARK(ldlt)->Apply(sizes);

}  // namespace
