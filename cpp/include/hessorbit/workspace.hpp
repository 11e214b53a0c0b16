// Workspaces: what a call needs besides its arguments, kept so that calls after the first allocate nothing.
#pragma once

#include "diagonal.hpp"
#include "gauss_newton.hpp"
#include "hessian/assemble.hpp"
#include "kernel/lending.hpp"
#include "product.hpp"
#include "propagate.hpp"
#include "sensitivity.hpp"

#include <memory>
#include <optional>
#include <vector>

namespace hessorbit {

// What a kind of call needs of a chunk besides the tape.
template <class T>
struct ChunkNeeds {
    Order order;
    bool coupled = false;  // whether the tape holds an M that couples outputs
    std::optional<typename Sensitivity<T>::Extent> sensitivity{};
    std::optional<bool> diagonal{};  // whether M = w I, if the diagonal is wanted
    bool directional = false, residual = false;
    const Loss* factor = nullptr;  // whose Gauss–Newton factor is written
};

// A chunk of samples, θ included.
template <class T>
struct ChunkSpace {
    Tape<T> tape;
    Parameters<T> parameters;
    std::optional<Sensitivity<T>> sensitivity;
    std::optional<DiagonalScratch<T>> diagonal;
    std::optional<DirectionalTape<T>> directional;
    std::optional<GaussNewtonScratch<T>> factor;
    Matrix<T> coefficients;  // what `differentiate` needs
    Rows<T> residual, unit_weight;

    ChunkSpace(const Network& network, Index columns, const ChunkNeeds<T>& needs)
        : tape(network, columns, needs.order, needs.coupled), parameters(network) {
        if (needs.sensitivity) {
            sensitivity.emplace(network, columns, *needs.sensitivity);
            coefficients.setZero(1, differentiate_coefficients(network));
        }
        if (needs.diagonal) diagonal.emplace(network, columns, needs.order, *needs.diagonal, needs.coupled);
        if (needs.directional) directional.emplace(network, columns);
        if (needs.factor) factor.emplace(network, *needs.factor, columns);
        if (needs.residual) residual.setZero(network.outputs(), columns), unit_weight.setOnes(1, columns);
    }

    // Takes a θ.
    void unpack(const Network& network, const T* theta) {
        parameters.unpack(network, theta);
        if (diagonal) diagonal->prepare(parameters);
    }

    // Points the tape at the samples from `begin` on.
    void start_chunk(Rows<T>& features, Index begin) { tape.input = RowsView<T>(features).from_column(begin); }
};

// What one θ needs.
template <class T>
struct Workspace {
    std::vector<Parameters<T>> directions;
    std::vector<T> partial;                              // (slots, length): sums over the samples of a slot
    std::vector<std::unique_ptr<ChunkSpace<T>>> spaces;  // one per thread, but one for all in a large Hessian
    std::vector<std::unique_ptr<HessianScratch<T>>> scratch;

    // Sees to it that there are spaces for so many threads.
    void grow(int threads, const Network& network, Index columns, const ChunkNeeds<T>& needs) {
        while (static_cast<int>(spaces.size()) < threads)
            spaces.push_back(std::make_unique<ChunkSpace<T>>(network, row_stride(columns), needs));
    }
};

// The workspaces of one kind of call that are not in use.
template <class T>
using Workspaces = Lending<Workspace<T>>;

}  // namespace hessorbit
