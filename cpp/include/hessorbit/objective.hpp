// The objective L(θ) = Σ_n w_n ℓ(f(x_n; θ), y_n) + (l2/2)‖θ‖² (w normalised to sum 1) of a network on data, and its
// derivatives: the one class that the bindings see. It cuts the samples into chunks, shares the work among threads and
// keeps the workspaces; the formulas are in the headers it includes.
//
// Every method takes θ (batch, P), contiguous, and writes one result per θ. Batches are shared θ by θ among threads.
// A single θ is shared by slots of samples (chunks.hpp), or, for a large Hessian, by blocks of the result (team.hpp).
// Results have the same bits for any number of threads and any batch.
#pragma once

#include "kernel/chunks.hpp"
#include "diagonal.hpp"
#include "gauss_newton.hpp"
#include "gradient.hpp"
#include "hessian/assemble.hpp"
#include "hessian/complete.hpp"
#include "jacobian.hpp"
#include "kernel/pool.hpp"
#include "product.hpp"
#include "propagate.hpp"
#include "sensitivity.hpp"

#include <atomic>
#include <memory>

namespace hessorbit {

// Inputs and targets transposed, weights normalised. x (N, inputs), y (N, K) or null for zeros, weight (N) or null for
// equal weights; all row-major.
template <class T>
Data<T> make_data(const Network& network, Index samples, const T* x, const T* y, const T* weight) {
    const Layer& first = network.layer(0);
    const Index columns = row_stride(samples), outputs = network.outputs();
    Data<T> data;
    data.samples = samples;
    data.weight.setZero(1, columns);
    T total = 0;
    for (Index n = 0; n < samples; ++n) total += weight ? weight[n] : T(1);
    for (Index n = 0; n < samples; ++n) data.weight(0, n) = (weight ? weight[n] : T(1)) / total;

    const T s = first.multiplier<T>();
    const auto fill = [&](Rows<T>& features, Rows<T>& targets, auto source) {
        features.setOnes(first.features(), columns);
        targets.setZero(outputs, columns);
        for (Index n = 0; n < columns; ++n) {
            const Index from = source(n);
            for (Index a = 0; a < first.fan_in; ++a) features(a, n) = s * x[from * first.fan_in + a];
            for (Index k = 0; y && k < outputs; ++k) targets(k, n) = y[from * outputs + k];
        }
    };
    Index last = samples - 1, weightless = 0;
    while (last > 0 && data.weight(0, last) == 0) --last;
    for (Index n = 0; n < samples; ++n) weightless += data.weight(0, n) == 0;
    fill(data.features, data.targets, [&](Index n) { return data.weight(0, n) == 0 ? last : n; });
    if (weightless)
        fill(data.own_features, data.own_targets, [&](Index n) { return std::min(n, samples - 1); });
    return data;
}

template <class T>
class Objective {
public:
    Objective(Network network, Loss loss, T l2, Data<T> data)
        : network_(std::move(network)), loss_(loss), l2_(l2), data_(std::move(data)) {}

    const Network& network() const { return network_; }
    const Loss& loss() const { return loss_; }
    T l2() const { return l2_; }
    const Data<T>& data() const { return data_; }
    Index factor_rows() const { return samples() * CurvatureRoot<T>::rows(loss_, network_.outputs()); }
    Index samples() const { return data_.samples; }
    Index num_parameters() const { return network_.num_parameters(); }

    // loss (batch) and gradient (batch, P); either may be null.
    void value_and_gradient(const T* theta, Index batch, int threads, T* loss, T* gradient) {
        const Index p = num_parameters();
        const Order order = gradient ? Order::gradient : Order::value;
        Task& task = gradient ? gradient_ : value_;
        const Chunks chunks = sum_chunks(tape_rows(network_, order));
        const Index length = 1 + (gradient ? p : 0);
        for_each_theta(batch, threads, 6, [&](Index b, int team_size) {
            auto work = task.take([&] { return std::make_unique<Workspace>(); });
            const T* at = theta + b * p;
            sum_over_samples(*work, at, chunks, length, team_size, order, [&](Space& space, Index chunk, T* sum) {
                const Index n = chunks.columns(chunk);
                pass(space, chunks.begin(chunk), n, order);
                sum[0] += sum_row(space.tape.value.data(), n);
                if (gradient) add_gradient(network_, space.tape, n, sum + 1);
            });
            const T* total = work->partial.data();
            if (loss) loss[b] = total[0] + (l2_ != 0 ? l2_ / 2 * squared_norm(at) : T(0));
            for (Index i = 0; gradient && i < p; ++i) gradient[b * p + i] = total[1 + i] + l2_ * at[i];
        });
    }

    // f (batch, N, K).
    void outputs(const T* theta, Index batch, int threads, T* out) {
        for_each_chunk(value_, theta, batch, threads, Order::value, [&](Index b, Space& space, Index begin, Index count) {
            forward(network_, space.parameters, space.tape, {0, padded(count)});
            write_samples(RowsView<T>(space.tape.output), begin, count, out + b * samples() * network_.outputs());
        });
    }

    // ∂ℓ/∂f without weights (batch, N·K).
    void residual(const T* theta, Index batch, int threads, T* out) {
        for_each_chunk(residual_, theta, batch, threads, Order::value, [&](Index b, Space& space, Index begin, Index count) {
            forward(network_, space.parameters, space.tape, {0, padded(count)});
            if (space.residual.size() == 0) {
                space.residual.setZero(network_.outputs(), space.tape.columns);
                space.unit_weight.setOnes(1, space.tape.columns);
            }
            evaluate_loss<T>(loss_, network_.outputs(), RowsView<T>(space.tape.output),
                             RowsView<T>(data_.every_target()).from_column(begin), space.unit_weight.data(), padded(count),
                             nullptr, RowsView<T>(space.residual), RowsView<T>());
            write_samples(RowsView<T>(space.residual), begin, count, out + b * samples() * network_.outputs());
        });
    }

    // ∂f/∂θ (batch, N·K, P).
    void jacobian(const T* theta, Index batch, int threads, T* out) {
        const Index p = num_parameters(), outputs = network_.outputs();
        for_each_chunk(jacobian_, theta, batch, threads, Order::gradient, [&](Index b, Space& space, Index begin, Index count) {
            if (!space.sensitivity) space.add_sensitivity(network_, Sensitivity<T>::Extent::jacobian);
            forward(network_, space.parameters, space.tape, {0, padded(count)});
            differentiate(network_, space.parameters, space.tape, Sensitivity<T>::Extent::jacobian,
                          *space.sensitivity, {0, padded(count)}, space.coefficients);
            T* rows = out + (b * samples() + begin) * outputs * p;
            std::fill(rows, rows + count * outputs * p, T(0));
            write_jacobian(network_, space.tape, *space.sensitivity, count, rows);
        });
    }

    // F (batch, factor_rows, P): the Gauss–Newton matrix is FᵀF + l2·I.
    void gauss_newton_factor(const T* theta, Index batch, int threads, T* out) {
        const Index p = num_parameters(), rows = factor_rows() / samples();
        for_each_chunk(factor_, theta, batch, threads, Order::gradient, [&](Index b, Space& space, Index begin, Index count) {
            if (!space.sensitivity) {
                space.add_sensitivity(network_, Sensitivity<T>::Extent::jacobian);
                space.factor = std::make_unique<GaussNewtonScratch<T>>(network_, loss_, space.tape.columns);
            }
            space.tape.input = RowsView<T>(data_.features).from_column(begin);
            forward(network_, space.parameters, space.tape, {0, padded(count)});
            T* to = out + (b * samples() + begin) * rows * p;
            std::fill(to, to + count * rows * p, T(0));
            write_gauss_newton_factor<T>(network_, space.parameters, loss_, space.tape,
                                         RowsView<T>(data_.targets).from_column(begin), data_.weight.data() + begin, count,
                                         *space.sensitivity, *space.factor, to);
        });
    }

    // diag ∇²L (batch, P).
    void hessian_diagonal(const T* theta, Index batch, int threads, T* diagonal) {
        const Index p = num_parameters();
        const Chunks chunks = sum_chunks(tape_rows(network_, Order::hessian) + sensitivity_rows(network_));
        for_each_theta(batch, threads, 12, [&](Index b, int team_size) {
            auto work = diagonal_.take([&] { return std::make_unique<Workspace>(); });
            sum_over_samples(*work, theta + b * p, chunks, p, team_size, Order::hessian, [&](Space& space, Index chunk, T* sum) {
                const Columns all{0, chunks.columns(chunk)};
                if (!space.sensitivity) {
                    space.add_sensitivity(network_, Sensitivity<T>::Extent::hessian);
                    space.diagonal = std::make_unique<DiagonalScratch<T>>(network_, space.tape.columns);
                }
                pass(space, chunks.begin(chunk), all.size, Order::hessian);
                differentiate(network_, space.parameters, space.tape, Sensitivity<T>::Extent::hessian,
                              *space.sensitivity, all, space.coefficients);
                add_diagonal(network_, space.parameters, space.tape, *space.sensitivity, all.size, *space.diagonal, sum);
            });
            for (Index i = 0; i < p; ++i) diagonal[b * p + i] = work->partial[i] + l2_;
        });
    }

    // H v (batch, count, P) for directions v (batch, count, P), or (count, P) for every θ if `shared`.
    void product(const T* theta, Index batch, const T* v, Index count, bool shared, int threads, T* product) {
        const Index length = count * num_parameters();
        Index extra = 0;
        for (Index l = 0; l < network_.depth(); ++l)
            extra += network_.layer(l).features() + 2 * network_.layer(l).width;
        const Chunks chunks = sum_chunks(tape_rows(network_, Order::hessian) + extra);
        for_each_theta(batch, threads, 12 * std::min(count, directions_at_once), [&](Index b, int team_size) {
            auto work = product_.take([&] { return std::make_unique<Workspace>(); });
            one_product(*work, theta + b * num_parameters(), chunks, v + (shared ? 0 : b * length), count, team_size,
                        product + b * length);
        });
    }

    // ∇²L (batch, P, P), or its Gauss–Newton part.
    void hessian(const T* theta, Index batch, int threads, bool gauss_newton, T* out) {
        const Index p = num_parameters();
        Task& task = gauss_newton ? gauss_newton_ : hessian_;
        for_each_theta(batch, threads, num_parameters(), [&](Index b, int team_size) {
            auto work = task.take([&] { return std::make_unique<Workspace>(); });
            one_hessian(*work, theta + b * p, gauss_newton, team_size, out + b * p * p);
        });
    }

    // ‖θ‖².
    T squared_norm(const T* theta) const {
        T sum = 0;
        for (Index i = 0; i < num_parameters(); ++i) sum += theta[i] * theta[i];
        return sum;
    }

private:
    // What a chunk needs, θ included.
    struct Space {
        Tape<T> tape;
        Parameters<T> parameters;
        std::unique_ptr<Sensitivity<T>> sensitivity;
        std::unique_ptr<DirectionalTape<T>> directional;
        std::unique_ptr<DiagonalScratch<T>> diagonal;
        std::unique_ptr<GaussNewtonScratch<T>> factor;
        Matrix<T> coefficients;
        Rows<T> residual, unit_weight;

        Space(const Network& network, Index columns, Order order) : tape(network, columns, order), parameters(network) {}

        void add_sensitivity(const Network& network, typename Sensitivity<T>::Extent extent) {
            sensitivity = std::make_unique<Sensitivity<T>>(network, tape.columns, extent);
            Index product = 1;
            for (Index l = 0; l + 1 < network.depth(); ++l)
                product = std::max(product, network.layer(l).width * network.layer(l + 1).width);
            coefficients.setZero(1, product);
        }
    };

    // What one θ needs; kept between calls.
    struct Workspace {
        std::vector<Parameters<T>> directions;
        std::vector<T> partial;                      // (slots, length): sums over the samples of a slot
        std::vector<std::unique_ptr<Space>> spaces;  // one per thread, but one for all in a large Hessian
        std::vector<std::unique_ptr<HessianScratch<T>>> scratch;

        template <class Make>
        void grow(int threads, Make make) {
            while (static_cast<int>(spaces.size()) < threads) spaces.push_back(make());
        }
    };

    using Task = Pool<Workspace>;

    static constexpr Index directions_at_once = 8;
    static constexpr Index cache_budget = 40000;      // numbers a tape may hold in a sum over samples: near the L2 cache
    static constexpr Index hessian_budget = 1600000;  // numbers tape and sensitivities may hold for a Hessian
    static constexpr Index small_hessian = 256;       // parameters up to which every slot of samples has its own H

    Chunks sum_chunks(Index rows) const { return {samples(), chunk_capacity(rows, cache_budget, 64, 256)}; }

    // Threads worth waking for `cost` multiplications per sample and parameter: a fork costs a few microseconds.
    int useful_threads(int threads, Index cost) const {
        const double work = static_cast<double>(samples()) * static_cast<double>(num_parameters() * cost);
        return static_cast<int>(std::clamp(work / 2e5, 1.0, static_cast<double>(threads)));
    }

    // body(b, threads): whole θ's to threads when there are enough of them, else all threads to each θ in turn.
    template <class Body>
    void for_each_theta(Index batch, int threads, Index cost, Body body) {
        if (batch < 2 * threads || threads == 1) {
            for (Index b = 0; b < batch; ++b) body(b, useful_threads(threads, cost));
            return;
        }
        std::atomic<Index> next{0};
        with_team(threads, [&](const Team&) {
            for (Index b = next++; b < batch; b = next++) body(b, 1);
        });
    }

    // Fills the tape for n columns from sample `begin`.
    void pass(Space& space, Index begin, Index n, Order order) {
        space.tape.input = RowsView<T>(data_.features).from_column(begin);
        propagate(network_, space.parameters, loss_, data_, begin, order, space.tape, {0, n});
    }

    // Leaves in work.partial[0 … length − 1] the sum over chunks of what add(space, chunk, sum) adds to sum (length).
    template <class Add>
    void sum_over_samples(Workspace& work, const T* theta, const Chunks& chunks, Index length, int threads, Order order,
                          Add add) {
        threads = static_cast<int>(std::min<Index>(threads, chunks.slots));
        work.grow(threads, [&] { return std::make_unique<Space>(network_, row_stride(chunks.size), order); });
        work.partial.resize(static_cast<std::size_t>(chunks.slots * length));
        with_team(threads, [&](const Team& team) {
            Space& space = *work.spaces[team.rank];
            space.parameters.unpack(network_, theta);
            const Range slots = team.share(chunks.slots);
            for (Index slot = slots.begin; slot < slots.end; ++slot) {
                T* sum = work.partial.data() + slot * length;
                std::fill(sum, sum + length, T(0));
                const Range range = chunks.of_slot(slot);
                for (Index chunk = range.begin; chunk < range.end; ++chunk) add(space, chunk, sum);
            }
        });
        for (Index slot = 1; slot < chunks.slots; ++slot)
            for (Index i = 0; i < length; ++i) work.partial[i] += work.partial[slot * length + i];
    }

    // body(b, space, begin, count) for every chunk of every θ; for results that have a row per sample.
    template <class Body>
    void for_each_chunk(Task& task, const T* theta, Index batch, int threads, Order order, Body body) {
        const Index extra = order == Order::gradient ? sensitivity_rows(network_) : 0;
        const Chunks chunks = sum_chunks(tape_rows(network_, order) + extra);
        for_each_theta(batch, threads, 6, [&](Index b, int team_size) {
            auto work = task.take([&] { return std::make_unique<Workspace>(); });
            work->grow(team_size, [&] { return std::make_unique<Space>(network_, row_stride(chunks.size), order); });
            with_team(team_size, [&](const Team& team) {
                Space& space = *work->spaces[team.rank];
                space.parameters.unpack(network_, theta + b * num_parameters());
                const Range share = team.share(chunks.count);
                for (Index chunk = share.begin; chunk < share.end; ++chunk) {
                    space.tape.input = RowsView<T>(data_.every_feature()).from_column(chunks.begin(chunk));
                    body(b, space, chunks.begin(chunk), chunks.length(chunk));
                }
            });
        });
    }

    // out (N, K) from rows (K, n), for `count` samples from `begin`.
    void write_samples(RowsView<const T> rows, Index begin, Index count, T* out) const {
        const Index outputs = network_.outputs();
        for (Index n = 0; n < count; ++n)
            for (Index k = 0; k < outputs; ++k) out[(begin + n) * outputs + k] = rows.row(k)[n];
    }

    // Whether M = w I, seen from z_L.
    bool constant_loss() const {
        return describe(loss_).curvature == CurvatureForm::identity && network_.last().linear();
    }

    // Made at the first Hessian: most objectives never need one.
    const HessianPlan& plan(bool gauss_newton) {
        const std::lock_guard<std::mutex> lock(plan_mutex_);
        std::unique_ptr<HessianPlan>& plan = plans_[gauss_newton];
        if (!plan)
            plan = std::make_unique<HessianPlan>(
                HessianShape{network_, gauss_newton, describe(loss_).curvature != CurvatureForm::full, constant_loss()});
        return *plan;
    }

    // H v for `count` directions v (count, P) at one θ (P): product (count, P).
    void one_product(Workspace& work, const T* theta, const Chunks& chunks, const T* v, Index count, int threads,
                     T* product) {
        const Index p = num_parameters();
        while (static_cast<Index>(work.directions.size()) < std::min(count, directions_at_once))
            work.directions.emplace_back(network_);
        for (Index first = 0; first < count; first += directions_at_once) {
            const Index block = std::min(directions_at_once, count - first);
            for (Index d = 0; d < block; ++d) work.directions[d].unpack(network_, v + (first + d) * p);
            sum_over_samples(work, theta, chunks, block * p, threads, Order::hessian, [&](Space& space, Index chunk, T* sum) {
                const Index n = chunks.columns(chunk);
                if (!space.directional)
                    space.directional = std::make_unique<DirectionalTape<T>>(network_, space.tape.columns);
                pass(space, chunks.begin(chunk), n, Order::hessian);
                for (Index d = 0; d < block; ++d)
                    add_product(network_, space.parameters, work.directions[d], space.tape, *space.directional, n,
                                sum + d * p);
            });
            for (Index i = 0; i < block * p; ++i)
                product[first * p + i] = work.partial[i] + l2_ * v[first * p + i];
        }
    }

    void one_hessian(Workspace& work, const T* theta, bool gauss_newton, int threads, T* out) {
        if (num_parameters() <= small_hessian) sum_hessians(work, theta, gauss_newton, threads, out);
        else share_hessian(work, theta, gauss_newton, threads, out);
    }

    static Order order_of(bool gauss_newton) { return gauss_newton ? Order::gauss_newton : Order::hessian; }

    static typename Sensitivity<T>::Extent extent_of(bool gauss_newton) {
        return gauss_newton ? Sensitivity<T>::Extent::gauss_newton : Sensitivity<T>::Extent::hessian;
    }

    // Scratch for each of `threads`, and tapes for as many as work on chunks of their own.
    void grow_for_hessian(Workspace& work, Index columns, bool gauss_newton, int tapes, int threads) {
        work.grow(tapes, [&] {
            auto space = std::make_unique<Space>(network_, row_stride(columns), order_of(gauss_newton));
            space->add_sensitivity(network_, extent_of(gauss_newton));
            return space;
        });
        while (static_cast<int>(work.scratch.size()) < threads)
            work.scratch.push_back(std::make_unique<HessianScratch<T>>(network_, columns));
    }

    // One Hessian for each slot of samples, and their sum: the way for small H, where threads need not wait for each
    // other.
    void sum_hessians(Workspace& work, const T* theta, bool gauss_newton, int threads, T* out) {
        const Index p = num_parameters();
        const Chunks chunks(samples(), std::clamp<Index>(samples() / 2, 256, 1024));
        threads = static_cast<int>(std::min<Index>(threads, chunks.slots));
        grow_for_hessian(work, chunks.size, gauss_newton, threads, threads);
        work.partial.resize(static_cast<std::size_t>((chunks.slots - 1) * p * p));
        const HessianPlan& tasks = plan(gauss_newton);
        with_team(threads, [&](const Team& team) {
            Space& space = *work.spaces[team.rank];
            space.parameters.unpack(network_, theta);
            const Range slots = team.share(chunks.slots);
            for (Index slot = slots.begin; slot < slots.end; ++slot) {
                T* sum = slot == 0 ? out : work.partial.data() + (slot - 1) * p * p;
                std::fill(sum, sum + p * p, T(0));
                HessianAssembler<T> assembler(tasks, space.parameters, space.tape, *space.sensitivity,
                                              *work.scratch[team.rank], sum);
                const Range range = chunks.of_slot(slot);
                for (Index chunk = range.begin; chunk < range.end; ++chunk) {
                    const Columns all{0, chunks.columns(chunk)};
                    pass(space, chunks.begin(chunk), all.size, order_of(gauss_newton));
                    differentiate(network_, space.parameters, space.tape, extent_of(gauss_newton), *space.sensitivity,
                                  all, space.coefficients);
                    for (int stage = 0; stage < HessianPlan::stages; ++stage)
                        for (const HessianTask& task : tasks.tasks(stage)) assembler.run(task, all.size);
                }
            }
        });
        for (Index slot = 1; slot < chunks.slots; ++slot)
            for (Index i = 0; i < p * p; ++i) out[i] += work.partial[(slot - 1) * p * p + i];
        HessianCompletion<T>(tasks.shape(), l2_, out).run();
    }

    // All threads on one chunk at a time, sharing the blocks of the one H.
    void share_hessian(Workspace& work, const T* theta, bool gauss_newton, int threads, T* out) {
        const Order order = order_of(gauss_newton);
        const Index rows = tape_rows(network_, order) + sensitivity_rows(network_);
        const Index segment = Segment<T>::most;
        const Chunks chunks(samples(), chunk_capacity(rows, hessian_budget, segment, 16 * segment));
        grow_for_hessian(work, chunks.size, gauss_newton, 1, threads);
        Space& space = *work.spaces[0];
        space.parameters.unpack(network_, theta);

        const HessianPlan& tasks = plan(gauss_newton);
        const Index p = num_parameters();
        std::atomic<Index> next[HessianPlan::stages] = {};
        with_team(threads, [&](const Team& team) {
            HessianScratch<T>& scratch = *work.scratch[team.rank];
            const Range zero = team.share(p);
            std::fill(out + zero.begin * p, out + zero.end * p, T(0));
            HessianAssembler<T> assembler(tasks, space.parameters, space.tape, *space.sensitivity, scratch, out);
            for (Index chunk = 0; chunk < chunks.count; ++chunk) {
                const Index n = chunks.columns(chunk);
                team.barrier();
                if (team.rank == 0) {
                    space.tape.input = RowsView<T>(data_.features).from_column(chunks.begin(chunk));
                    for (std::atomic<Index>& each : next) each = 0;
                }
                team.barrier();
                const Columns mine = team.columns(n);
                propagate(network_, space.parameters, loss_, data_, chunks.begin(chunk), order, space.tape, mine);
                differentiate(network_, space.parameters, space.tape, extent_of(gauss_newton), *space.sensitivity, mine,
                              scratch.coefficients);
                for (int stage = 0; stage < HessianPlan::stages; ++stage) {
                    team.barrier();
                    const Index count = static_cast<Index>(tasks.tasks(stage).size());
                    for (Index t = next[stage]++; t < count; t = next[stage]++) assembler.run(tasks.tasks(stage)[t], n);
                }
            }
            HessianCompletion<T> completion(tasks.shape(), l2_, out);
            for (int phase = 0; phase < completion.phases; ++phase) {
                team.barrier();
                const Index count = completion.pieces(phase);
                for (Index piece = team.rank; piece < count; piece += team.size) completion.run(phase, piece);
            }
        });
    }

    Network network_;
    Loss loss_;
    T l2_;
    Data<T> data_;
    std::mutex plan_mutex_;
    std::unique_ptr<HessianPlan> plans_[2];
    Task value_, gradient_, residual_, jacobian_, factor_, diagonal_, product_, hessian_, gauss_newton_;
};

}  // namespace hessorbit
