// Who does what of a Hessian, and when.
//
// A small H is made for every slot of samples, and these are summed: threads meet at the end alone. A large H is made
// once, chunk by chunk: threads share the samples of a chunk, then the tasks of each stage, and completion at the end.
// Shapes alone decide which way is taken and how work is cut.
#pragma once

#include "assemble.hpp"
#include "complete.hpp"

#include "../kernel/chunks.hpp"
#include "../kernel/team.hpp"
#include "../workspace.hpp"

namespace hessorbit {

template <class T>
class HessianSchedule {
public:
    HessianSchedule(const HessianPlan& plan, const Loss& loss, Data<T>& data, T l2)
        : plan_(plan), network_(plan.shape().network), loss_(loss), data_(data), l2_(l2),
          order_(plan.shape().gauss_newton ? Order::gauss_newton : Order::hessian),
          extent_(plan.shape().gauss_newton ? Extent::gauss_newton : Extent::hessian) {}

    // The plan's block of H (size, size) at θ (P).
    void run(Workspace<T>& work, const T* theta, int threads, T* hessian) const {
        if (plan_.is_large())
            share_blocks(work, theta, threads, hessian);
        else
            sum_over_slots(work, theta, threads, hessian);
    }

private:
    using Extent = typename Sensitivity<T>::Extent;

    static constexpr Index budget = 1600000;   // numbers tape and sensitivities may hold where all threads share them
    static constexpr Index column_part = 128;  // samples of a chunk that one thread propagates
    static constexpr Index row_part = 16;      // rows of H that one thread zeroes

    // Scratch for each of `threads`, and tapes for as many as work on chunks of their own.
    void grow(Workspace<T>& work, Index columns, int tapes, int threads) const {
        work.grow(tapes, network_, columns,
                  {.order = order_, .coupled = couples_outputs(loss_), .sensitivity = extent_});
        while (static_cast<int>(work.scratch.size()) < threads)
            work.scratch.push_back(std::make_unique<HessianScratch<T>>(network_, columns));
    }

    // Fills tape and sensitivities for columns of the chunk that starts at sample `begin`.
    void differentiate_chunk(ChunkSpace<T>& space, Index begin, Columns columns, HessianScratch<T>& scratch) const {
        propagate(network_, space.parameters, loss_, data_, begin, order_, space.tape, columns);
        if (network_.depth() == 2 && plan_.shape().alike(0)) return;  // no product has a sensitivity among its factors
        differentiate(network_, space.parameters, space.tape, extent_, *space.sensitivity, columns,
                      scratch.coefficients);
    }

    void sum_over_slots(Workspace<T>& work, const T* theta, int threads, T* hessian) const {
        const Index size = plan_.size() * plan_.size();
        const Chunks chunks(data_.samples, std::clamp<Index>(data_.samples / 2, 256, 1024));
        threads = static_cast<int>(std::min<Index>(threads, chunks.slots));
        grow(work, chunks.size, threads, threads);
        work.partial.resize(static_cast<std::size_t>((chunks.slots - 1) * size));
        share_parts(threads, chunks.slots, [&](Share& share) {
            ChunkSpace<T>& space = *work.spaces[share.rank];
            HessianScratch<T>& scratch = *work.scratch[share.rank];
            space.parameters.unpack(network_, theta);
            for (const Part slot : share) {
                T* sum = slot.index == 0 ? hessian : work.partial.data() + (slot.index - 1) * size;
                std::fill(sum, sum + size, T(0));
                HessianAssembler<T> assembler(plan_, space.parameters, space.tape, *space.sensitivity, scratch, sum);
                const Range range = chunks.of_slot(slot.index);
                for (Index chunk = range.begin; chunk < range.end; ++chunk) {
                    if (chunk > range.begin) stop_if_interrupted();
                    const Index n = chunks.columns(chunk);
                    space.start_chunk(data_.features, chunks.begin(chunk));
                    differentiate_chunk(space, chunks.begin(chunk), {0, n}, scratch);
                    for (int stage = 0; stage < HessianPlan::stages; ++stage)
                        for (const HessianTask& task : plan_.tasks(stage)) assembler.run(task, n);
                }
            }
        });
        const Index p = plan_.size();
        for (Index slot = 1; slot < chunks.slots; ++slot) {
            const T* from = work.partial.data() + (slot - 1) * size;
            for (Index i = 0; i < p; ++i)  // below the diagonal slots have no sums
                for (Index j = i * p + i; j < (i + 1) * p; ++j) hessian[j] += from[j];
        }
        HessianCompletion<T>(plan_.shape(), l2_, hessian).run();
    }

    // A job for every chunk, of its samples and then each stage of tasks, and one for completion. Rows of H are zeroed
    // along with the samples of the first chunk.
    void share_blocks(Workspace<T>& work, const T* theta, int threads, T* hessian) const {
        const Index p = plan_.size(), rows = tape_rows(network_, order_) + sensitivity_rows(network_);
        const Chunks chunks(data_.samples, chunk_capacity(rows, budget, Segment<T>::most, 32 * Segment<T>::most));
        grow(work, chunks.size, 1, threads);
        ChunkSpace<T>& space = *work.spaces[0];
        space.parameters.unpack(network_, theta);

        for (Index chunk = 0; chunk < chunks.count; ++chunk) {
            const Index begin = chunks.begin(chunk), n = chunks.columns(chunk);
            const Index column_parts = (n + column_part - 1) / column_part;
            space.start_chunk(data_.features, begin);
            const auto parts = [&](int phase) {
                if (phase == 0) return column_parts + (chunk == 0 ? (p + row_part - 1) / row_part : 0);
                return static_cast<Index>(plan_.tasks(phase - 1).size());
            };
            share_phases(threads, 1 + HessianPlan::stages, parts, [&](Share& share) {
                HessianScratch<T>& scratch = *work.scratch[share.rank];
                HessianAssembler<T> assembler(plan_, space.parameters, space.tape, *space.sensitivity, scratch,
                                              hessian);
                for (const auto [phase, part] : share) {
                    if (phase > 0) {
                        assembler.run(plan_.tasks(phase - 1)[part], n);
                    } else if (part < column_parts) {
                        const Index first = part * column_part;
                        differentiate_chunk(space, begin, {first, std::min(column_part, n - first)}, scratch);
                    } else {
                        const Index row = (part - column_parts) * row_part;
                        std::fill(hessian + row * p, hessian + std::min(p, row + row_part) * p, T(0));
                    }
                }
            });
        }
        HessianCompletion<T> completion(plan_.shape(), l2_, hessian);
        share_phases(
            threads, completion.phases, [&](int phase) { return completion.parts(phase); },
            [&](Share& share) {
                for (const auto [phase, part] : share) completion.run(phase, part);
            });
    }

    const HessianPlan& plan_;
    const Network& network_;
    const Loss& loss_;
    Data<T>& data_;
    T l2_;
    Order order_;
    Extent extent_;
};

}  // namespace hessorbit
