// How a call is shared among threads.
//
// Batches are shared θ by θ where there are enough. A single θ is shared by slots of samples where the result is a sum
// over them, and by chunks (kernel/chunks.hpp) where it has a row for each. Shapes alone decide how work is cut; a
// thread count decides no more than who does it.
#pragma once

#include "workspace.hpp"

#include "kernel/chunks.hpp"
#include "kernel/team.hpp"

namespace hessorbit {

template <class T>
class Schedule {
public:
    // Data and network must outlive this.
    Schedule(const Network& network, const Data<T>& data) : network_(network), data_(data) {}

    // Chunks for sums over samples and for rows of samples, with tapes of so many rows.
    Chunks chunks(Index rows) const { return {data_.samples, chunk_capacity(rows, cache_budget, 64, 256)}; }

    // Threads worth sharing `cost` multiplications per sample and parameter with: waking one takes a few microseconds.
    int useful_threads(int threads, Index cost) const {
        const double work = static_cast<double>(data_.samples) * static_cast<double>(network_.num_parameters() * cost);
        return static_cast<int>(std::clamp(work / 2e5, 1.0, static_cast<double>(threads)));
    }

    // body(b, threads): whole θ's to threads when there are enough of them, else all threads to each θ in turn.
    template <class Body>
    void for_each_theta(Index batch, int threads, Index cost, const Body& body) const {
        if (threads > 1 && batch >= 2 * threads)
            return share_parts(threads, batch, [&](Share& share) {
                for (const Part part : share) body(part.index, 1);
            });
        for (Index b = 0; b < batch; ++b) body(b, useful_threads(threads, cost));
    }

    // Leaves in work.partial[0 … length − 1] the sum over chunks of what add(space, chunk, sum) adds to sum (length).
    template <class Add>
    void sum_over_samples(Workspace<T>& work, const T* theta, const Chunks& chunks, Index length, int threads,
                          const ChunkNeeds<T>& needs, const Add& add) const {
        threads = static_cast<int>(std::min<Index>(threads, chunks.slots));
        work.grow(threads, network_, chunks.size, needs);
        work.partial.resize(static_cast<std::size_t>(chunks.slots * length));
        share_parts(threads, chunks.slots, [&](Share& share) {
            ChunkSpace<T>& space = *work.spaces[share.rank];
            space.unpack(network_, theta);
            for (const Part slot : share) {
                T* sum = work.partial.data() + slot.index * length;
                std::fill(sum, sum + length, T(0));
                const Range range = chunks.of_slot(slot.index);
                for (Index chunk = range.begin; chunk < range.end; ++chunk) {
                    if (chunk > range.begin) stop_if_interrupted();
                    add(space, chunk, sum);
                }
            }
        });
        for (Index slot = 1; slot < chunks.slots; ++slot)
            for (Index i = 0; i < length; ++i) work.partial[i] += work.partial[slot * length + i];
    }

    // body(space, chunk) for every chunk.
    template <class Body>
    void for_each_chunk(Workspace<T>& work, const T* theta, const Chunks& chunks, int threads,
                        const ChunkNeeds<T>& needs, const Body& body) const {
        threads = static_cast<int>(std::min<Index>(threads, chunks.count));
        work.grow(threads, network_, chunks.size, needs);
        share_parts(threads, chunks.count, [&](Share& share) {
            ChunkSpace<T>& space = *work.spaces[share.rank];
            space.unpack(network_, theta);
            for (const Part chunk : share) body(space, chunk.index);
        });
    }

private:
    static constexpr Index cache_budget = 40000;  // numbers a tape may hold: near the L2 cache

    const Network& network_;
    const Data<T>& data_;
};

}  // namespace hessorbit
