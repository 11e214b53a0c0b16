// The diagonal blocks of the Hessian, or of its Gauss–Newton part, that belong to a neuron's incoming parameters:
//
//     H[(l,i,a),(l,i,c)] = Σ_n B_ll[i,i] φ_l[a] φ_l[c]
//
// with B_ll[i,i] as for the diagonal (diagonal.hpp). They stand one after the other, (features, features) each, neuron by
// neuron and layer by layer.
#pragma once

#include "diagonal.hpp"
#include "kernel/symmetric.hpp"

namespace hessorbit {

// Numbers in all blocks together.
inline Index neuron_blocks_size(const Network& network) {
    Index size = 0;
    for (Index l = 0; l < network.depth(); ++l)
        size += network.layer(l).width * network.layer(l).features() * network.layer(l).features();
    return size;
}

// The upper triangles of blocks (what is below them is left to completion) += the first n columns of a tape whose
// curvature has been found.
template <class T>
void add_neuron_blocks(const Network& network, Tape<T>& tape, Index n, DiagonalScratch<T>& scratch, T* blocks) {
    constexpr Index tile = 24;  // rows of a block that are made together
    for (Index l = 0; l < network.depth(); ++l) {
        const Index width = network.layer(l).width, features = network.layer(l).features();
        const RowsView<T> phi = tape.phi(l), weighted(scratch.squares), curvature = scratch.curvature(tape, l);
        for (Index i = 0; i < width; ++i, blocks += features * features) {
            for (Index a = 0; a < features; ++a) weighted.array(a, n) = curvature.array(i, n) * phi.array(a, n);
            for (Index first = 0; first < features; first += tile)
                contract<T>(RowsView<const T>(weighted.from_row(first)), std::min(tile, features - first),
                            RowsView<const T>(phi.from_row(first)), features - first, n, [&](Index a, Index c, T value) {
                                blocks[(first + a) * features + first + c] += value;
                            });
        }
    }
}

// What symmetry gives, and l2 on the diagonals.
template <class T>
void complete_neuron_blocks(const Network& network, T l2, T* blocks) {
    for (Index l = 0; l < network.depth(); ++l) {
        const Index features = network.layer(l).features();
        for (Index i = 0; i < network.layer(l).width; ++i, blocks += features * features)
            complete_symmetric(blocks, features, l2);
    }
}

}  // namespace hessorbit
