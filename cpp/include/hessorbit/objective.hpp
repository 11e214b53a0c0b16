// The objective L(θ) = Σ_n w_n ℓ(f(x_n; θ), y_n) + (l2/2)‖θ‖² (w normalised to sum 1) of a network on data, and its
// derivatives: the one class that the bindings see. The formulas are in the headers it includes, how work is shared
// among threads in schedule.hpp and hessian/schedule.hpp.
//
// Every method takes θ (batch, P), contiguous, and writes one result per θ. Results have the same bits for any number
// of threads and any batch.
#pragma once

#include "gradient.hpp"
#include "hessian/schedule.hpp"
#include "jacobian.hpp"
#include "neuron_blocks.hpp"
#include "per_sample.hpp"
#include "schedule.hpp"
#include "workspace.hpp"

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
    if (weightless) fill(data.own_features, data.own_targets, [&](Index n) { return std::min(n, samples - 1); });
    return data;
}

template <class T>
class Objective {
public:
    Objective(Network network, Loss loss, T l2, Data<T> data)
        : network_(std::move(network)), loss_(loss), l2_(l2), data_(std::move(data)) {}
    Objective(const Objective&) = delete;
    ~Objective() {
        for (std::atomic<HessianPlan*>& plan : plans_) delete plan.load();
    }

    const Network& network() const { return network_; }
    const Loss& loss() const { return loss_; }
    T l2() const { return l2_; }
    const Data<T>& data() const { return data_; }
    Index factor_rows() const { return samples() * CurvatureRoot<T>::rows(loss_, network_.outputs()); }
    Index samples() const { return data_.samples; }
    Index num_parameters() const { return network_.num_parameters(); }

    // loss (batch) and gradient (batch, P); either may be null.
    void value_and_gradient(const T* theta, Index batch, int threads, T* loss, T* gradient) {
        const Index p = num_parameters(), length = 1 + (gradient ? p : 0);
        const Order order = gradient ? Order::gradient : Order::value;
        Workspaces<T>& workspaces = gradient ? gradient_ : value_;
        const Chunks chunks = schedule_.chunks(tape_rows(network_, order));
        const auto add = [&](ChunkSpace<T>& space, Index chunk, T* sum) {
            const Index begin = chunks.begin(chunk), n = chunks.columns(chunk);
            space.start_chunk(data_.features, begin);
            if (gradient)
                add_gradient(network_, space.parameters, loss_, data_, begin, n, space.tape, sum + 1);
            else
                propagate(network_, space.parameters, loss_, data_, begin, order, space.tape, {0, n});
            sum[0] += sum_row(space.tape.value.data(), n);
        };
        schedule_.for_each_theta(batch, threads, 6, [&](Index b, int team) {
            const auto work = workspaces.take();
            const T* at = theta + b * p;
            schedule_.sum_over_samples(*work, at, chunks, length, team, {order}, add);
            const T* total = work->partial.data();
            if (loss) loss[b] = total[0] + (l2_ != 0 ? l2_ / 2 * squared_norm(at) : T(0));
            for (Index i = 0; gradient && i < p; ++i) gradient[b * p + i] = total[1 + i] + l2_ * at[i];
        });
    }

    // f (batch, N, K).
    void outputs(const T* theta, Index batch, int threads, T* out) {
        const auto write = [&](Index b, ChunkSpace<T>& space, Index begin, Index count) {
            forward(network_, space.parameters, space.tape, {0, padded(count)});
            write_samples(RowsView<T>(space.tape.output), begin, count, out + b * samples() * network_.outputs());
        };
        for_each_chunk(value_, theta, batch, threads, {Order::value}, write);
    }

    // ∂ℓ/∂f without weights (batch, N·K).
    void residual(const T* theta, Index batch, int threads, T* out) {
        const auto write = [&](Index b, ChunkSpace<T>& space, Index begin, Index count) {
            forward(network_, space.parameters, space.tape, {0, padded(count)});
            evaluate_loss<T>(loss_, network_.outputs(), RowsView<T>(space.tape.output),
                             RowsView<T>(data_.every_target()).from_column(begin), space.unit_weight.data(),
                             padded(count), nullptr, RowsView<T>(space.residual), RowsView<T>(), RowsView<T>());
            write_samples(RowsView<T>(space.residual), begin, count, out + b * samples() * network_.outputs());
        };
        for_each_chunk(residual_, theta, batch, threads, {.order = Order::value, .residual = true}, write);
    }

    // ∂f/∂θ (batch, N·K, P).
    void jacobian(const T* theta, Index batch, int threads, T* out) {
        constexpr auto extent = Sensitivity<T>::Extent::jacobian;
        const Index p = num_parameters(), outputs = network_.outputs();
        const auto write = [&](Index b, ChunkSpace<T>& space, Index begin, Index count) {
            const Columns all{0, padded(count)};
            forward(network_, space.parameters, space.tape, all);
            differentiate(network_, space.parameters, space.tape, extent, *space.sensitivity, all, space.coefficients);
            T* rows = out + (b * samples() + begin) * outputs * p;
            std::fill(rows, rows + count * outputs * p, T(0));
            write_jacobian(network_, space.tape, *space.sensitivity, count, rows);
        };
        for_each_chunk(jacobian_, theta, batch, threads, {.order = Order::gradient, .sensitivity = extent}, write);
    }

    // F (batch, factor_rows, P): the Gauss–Newton matrix is FᵀF + l2·I.
    void gauss_newton_factor(const T* theta, Index batch, int threads, T* out) {
        const Index p = num_parameters(), rows = factor_rows() / samples();
        const auto write = [&](Index b, ChunkSpace<T>& space, Index begin, Index count) {
            space.start_chunk(data_.features, begin);
            forward(network_, space.parameters, space.tape, {0, padded(count)});
            T* to = out + (b * samples() + begin) * rows * p;
            std::fill(to, to + count * rows * p, T(0));
            write_gauss_newton_factor<T>(network_, space.parameters, loss_, space.tape,
                                         RowsView<T>(data_.targets).from_column(begin), data_.weight.data() + begin,
                                         count, *space.sensitivity, *space.factor, to);
        };
        const ChunkNeeds<T> needs{
            .order = Order::gradient, .sensitivity = Sensitivity<T>::Extent::jacobian, .factor = &loss_};
        for_each_chunk(factor_, theta, batch, threads, needs, write);
    }

    // diag ∇²L (batch, P).
    void hessian_diagonal(const T* theta, Index batch, int threads, T* diagonal) {
        const Index p = num_parameters();
        sum_by_neuron(diagonal_, theta, batch, threads, Order::hessian, p, add_diagonal<T>, [&](Index b, const T* sum) {
            for (Index i = 0; i < p; ++i) diagonal[b * p + i] = sum[i] + l2_;
        });
    }

    // H v (batch, count, P) for directions v (batch, count, P), or (count, P) for every θ if `shared`.
    void product(const T* theta, Index batch, const T* v, Index count, bool shared, int threads, T* product) {
        const Index p = num_parameters(), at_once = std::min<Index>(count, 8);
        Index extra = 0;
        for (Index l = 0; l < network_.depth(); ++l)
            extra += network_.layer(l).features() + 2 * network_.layer(l).width;
        const Chunks chunks = schedule_.chunks(tape_rows(network_, Order::hessian) + extra);
        schedule_.for_each_theta(batch, threads, 12 * at_once, [&](Index b, int team) {
            const auto work = product_.take();
            while (static_cast<Index>(work->directions.size()) < at_once) work->directions.emplace_back(network_);
            const T* directions = v + (shared ? 0 : b * count * p);
            for (Index first = 0; first < count; first += at_once)
                multiply(*work, theta + b * p, chunks, directions + first * p, std::min(at_once, count - first), team,
                         product + (b * count + first) * p);
        });
    }

    // ∇²L (batch, P, P), or its Gauss–Newton part.
    void hessian(const T* theta, Index batch, int threads, bool gauss_newton, T* out) {
        run(plan(gauss_newton), theta, batch, threads,
            [&](Index b, const auto& write) { write(out + b * num_parameters() * num_parameters()); });
    }

    // The principal block of that for some parameters, each named once: (batch, n, n) for n of them, in their order.
    void hessian_block(const T* theta, Index batch, const std::vector<Index>& parameters, int threads,
                       bool gauss_newton, T* out) {
        const HessianPlan block(shape(gauss_newton, Selection(network_, parameters)));
        const Index n = std::ssize(parameters);
        run(block, theta, batch, threads,
            [&](Index b, const auto& write) { write_block(block, parameters, out + b * n * n, write); });
    }

    // The blocks of neurons' incoming parameters in the Hessian, or in its Gauss–Newton part: (batch,
    // neuron_blocks_size), as in neuron_blocks.hpp.
    void neuron_blocks(const T* theta, Index batch, int threads, bool gauss_newton, T* out) {
        const Index size = neuron_blocks_size(network_);
        const Order order = gauss_newton ? Order::gauss_newton : Order::hessian;
        const auto finish = [&](Index b, const T* sum) {
            std::copy_n(sum, size, out + b * size);
            complete_neuron_blocks(network_, l2_, out + b * size);
        };
        sum_by_neuron(neuron_[gauss_newton], theta, batch, threads, order, size, add_neuron_blocks<T>, finish);
    }

    // ∂ℓ_n/∂θ without weights and l2, of some parameters or of all if none is named: (batch, N, n) for n of them.
    void sample_gradients(const T* theta, Index batch, const std::vector<Index>& parameters, int threads, T* out) {
        const std::vector<Place> places = places_of(network_, parameters);
        Data<T> data = with_unit_weights(data_, data_.every_target());
        const Index p = std::ssize(places);
        const auto write = [&](Index b, ChunkSpace<T>& space, Index begin, Index count) {
            propagate(network_, space.parameters, loss_, data, begin, Order::gradient, space.tape, {0, padded(count)});
            write_sample_gradients(space.tape, places, count, out + (b * samples() + begin) * p);
        };
        for_each_chunk(sample_gradient_, theta, batch, threads, {.order = Order::gradient}, write);
    }

    // ∂²ℓ_n/∂θ² without weights and l2, of some parameters, each named once: (batch, N, n, n).
    void sample_hessians(const T* theta, Index batch, const std::vector<Index>& parameters, int threads, T* out) {
        const HessianPlan block(shape(false, Selection(network_, parameters)));
        const Index n = std::ssize(parameters), p = num_parameters();
        share_parts(schedule_.useful_threads(threads, std::max<Index>(12, n)), samples(), [&](Share& share) {
            const auto work = sample_hessian_[block.is_large()].take();
            for (const Part sample : share) {
                Data<T> one = one_sample(data_, sample.index);
                const HessianSchedule<T> schedule(block, loss_, one, T(0));
                for (Index b = 0; b < batch; ++b)
                    write_block(block, parameters, out + (b * samples() + sample.index) * n * n,
                                [&](T* to) { schedule.run(*work, theta + b * p, 1, to); });
            }
        });
    }

    // Σ_n w_n ∂ℓ_n/∂θ ∂ℓ_n/∂θᵀ + l2·I of some parameters, or of all if none is named: (batch, n, n).
    void empirical_fisher(const T* theta, Index batch, const std::vector<Index>& parameters, int threads, T* out) {
        const std::vector<Place> places = places_of(network_, parameters);
        const Index p = std::ssize(places);
        Data<T> data = with_unit_weights(data_, data_.targets);
        const Chunks chunks(samples(), FisherSum<T>::capacity(p));
        schedule_.for_each_theta(batch, threads, 12 + p * p / num_parameters(), [&](Index b, int team) {
            ChunkSpace<T> space(network_, row_stride(chunks.size), {.order = Order::gradient});
            space.parameters.unpack(network_, theta + b * num_parameters());
            std::fill_n(out + b * p * p, p * p, T(0));
            FisherSum<T> sum(places, chunks.size, out + b * p * p);
            for (Index chunk = 0; chunk < chunks.count; ++chunk) {
                const Index begin = chunks.begin(chunk), n = chunks.columns(chunk);
                space.start_chunk(data_.features, begin);
                const auto parts = [&](int phase) {
                    return phase == 0 ? (n + fisher_columns - 1) / fisher_columns : sum.tiles();
                };
                share_phases(team, 2, parts, [&](Share& share) {
                    for (const auto [phase, part] : share) {
                        if (phase == 1) {
                            sum.add(part, n);
                            continue;
                        }
                        const Index first = part * fisher_columns;
                        const Columns columns{first, std::min(fisher_columns, n - first)};
                        propagate(network_, space.parameters, loss_, data, begin, Order::gradient, space.tape, columns);
                        sum.fill(space.tape, RowsView<T>(data_.weight).from_column(begin), columns);
                    }
                });
            }
            sum.complete(l2_);
        });
    }

    // ‖θ‖².
    T squared_norm(const T* theta) const {
        T sum = 0;
        for (Index i = 0; i < num_parameters(); ++i) sum += theta[i] * theta[i];
        return sum;
    }

private:
    // Fills the tape for n columns from sample `begin`.
    void pass(ChunkSpace<T>& space, Index begin, Index n, Order order) {
        space.start_chunk(data_.features, begin);
        propagate(network_, space.parameters, loss_, data_, begin, order, space.tape, {0, n});
    }

    // finish(b, sum) for every θ, with the sum (length) of what add(network, tape, n, scratch, sum) adds to it once the
    // scratch has found how the loss curves along neurons.
    template <class Add, class Finish>
    void sum_by_neuron(Workspaces<T>& workspaces, const T* theta, Index batch, int threads, Order order, Index length,
                       const Add& add, const Finish& finish) {
        Chunks chunks = schedule_.chunks(tape_rows(network_, order));
        chunks.slots = std::min(chunks.slots, std::max<Index>(2, most_sums / length));
        const ChunkNeeds<T> needs{.order = order, .coupled = couples_outputs(loss_), .diagonal = constant_loss()};
        const auto add_chunk = [&](ChunkSpace<T>& space, Index chunk, T* sum) {
            const Index n = chunks.columns(chunk);
            pass(space, chunks.begin(chunk), n, order);
            space.diagonal->find_curvature(space.parameters, space.tape, n);
            add(network_, space.tape, n, *space.diagonal, sum);
        };
        schedule_.for_each_theta(batch, threads, 12 + length / num_parameters(), [&](Index b, int team) {
            const auto work = workspaces.take();
            schedule_.sum_over_samples(*work, theta + b * num_parameters(), chunks, length, team, needs, add_chunk);
            finish(b, work->partial.data());
        });
    }

    // body(b, space, begin, count) for every chunk of every θ; for results that have a row per sample.
    template <class Body>
    void for_each_chunk(Workspaces<T>& workspaces, const T* theta, Index batch, int threads, const ChunkNeeds<T>& needs,
                        const Body& body) {
        const Index extra = needs.sensitivity ? sensitivity_rows(network_) : 0;
        const Chunks chunks = schedule_.chunks(tape_rows(network_, needs.order) + extra);
        schedule_.for_each_theta(batch, threads, 6, [&](Index b, int team) {
            const auto one = [&](ChunkSpace<T>& space, Index chunk) {
                space.start_chunk(data_.every_feature(), chunks.begin(chunk));
                body(b, space, chunks.begin(chunk), chunks.length(chunk));
            };
            const auto work = workspaces.take();
            schedule_.for_each_chunk(*work, theta + b * num_parameters(), chunks, team, needs, one);
        });
    }

    // H v for as many directions v (count, P) as the workspace has room for: product (count, P).
    void multiply(Workspace<T>& work, const T* theta, const Chunks& chunks, const T* v, Index count, int threads,
                  T* product) {
        const Index p = num_parameters();
        for (Index d = 0; d < count; ++d) work.directions[d].unpack(network_, v + d * p);
        const auto add = [&](ChunkSpace<T>& space, Index chunk, T* sum) {
            const Index n = chunks.columns(chunk);
            space.start_chunk(data_.features, chunks.begin(chunk));
            propagate_for_products(network_, space.parameters, loss_, data_, chunks.begin(chunk), n, space.tape);
            for (Index d = 0; d < count; ++d)
                add_product(network_, space.parameters, work.directions[d], space.tape, *space.directional, n,
                            sum + d * p);
        };
        const ChunkNeeds<T> needs{
            .order = order_of_products(network_), .coupled = couples_outputs(loss_), .directional = true};
        schedule_.sum_over_samples(work, theta, chunks, count * p, threads, needs, add);
        for (Index i = 0; i < count * p; ++i) product[i] = work.partial[i] + l2_ * v[i];
    }

    // out (N, K) from rows (K, n), for `count` samples from `begin`.
    void write_samples(RowsView<const T> rows, Index begin, Index count, T* out) const {
        const Index outputs = network_.outputs();
        for (Index n = 0; n < count; ++n)
            for (Index k = 0; k < outputs; ++k) out[(begin + n) * outputs + k] = rows.row(k)[n];
    }

    // body(b, write) for every θ, where write(to) forms the plan's block of H (size, size) at it.
    template <class Body>
    void run(const HessianPlan& plan, const T* theta, Index batch, int threads, const Body& body) {
        const Index p = num_parameters(), cost = std::max<Index>(12, plan.size() * plan.size() / p);
        Workspaces<T>& workspaces = hessian_[plan.shape().gauss_newton][plan.is_large()];
        const HessianSchedule<T> schedule(plan, loss_, data_, l2_);
        schedule_.for_each_theta(batch, threads, cost, [&](Index b, int team) {
            const auto work = workspaces.take();
            body(b, [&](T* to) { schedule.run(*work, theta + b * p, team, to); });
        });
    }

    // out (n, n) = the rows and columns of some parameters, in their order, of what write(to) gives of a plan.
    template <class Write>
    static void write_block(const HessianPlan& plan, const std::vector<Index>& parameters, T* out, const Write& write) {
        const Index size = plan.size(), n = std::ssize(parameters);
        const Index* places = plan.shape().selection.places();
        bool in_place = n == size;
        for (Index i = 0; in_place && i < n; ++i) in_place = places[parameters[i]] == i;
        if (in_place) return write(out);
        std::vector<T> whole(size * size);
        write(whole.data());
        for (Index i = 0; i < n; ++i)
            for (Index j = 0; j < n; ++j)
                out[i * n + j] = whole[places[parameters[i]] * size + places[parameters[j]]];
    }

    HessianShape shape(bool gauss_newton, Selection selection) const {
        return {network_, gauss_newton, !couples_outputs(loss_), constant_loss(), std::move(selection)};
    }

    // Whether M = w I, seen from z_L.
    bool constant_loss() const {
        return describe(loss_).curvature == CurvatureForm::identity && network_.last().linear();
    }

    // Made at the first Hessian: most objectives never need one. Of two made at once, one is kept.
    const HessianPlan& plan(bool gauss_newton) {
        std::atomic<HessianPlan*>& kept = plans_[gauss_newton];
        if (HessianPlan* const plan = kept) return *plan;
        auto made = std::make_unique<HessianPlan>(shape(gauss_newton, Selection(network_)));
        HessianPlan* other = nullptr;
        return kept.compare_exchange_strong(other, made.get()) ? *made.release() : *other;
    }

    static constexpr Index most_sums = 4000000;   // numbers in the sums of slots
    static constexpr Index fisher_columns = 64;   // samples of a chunk that one thread propagates

    Network network_;
    Loss loss_;
    T l2_;
    Data<T> data_;
    Schedule<T> schedule_{network_, data_};
    std::atomic<HessianPlan*> plans_[2]{};
    Workspaces<T> value_, gradient_, residual_, jacobian_, factor_, diagonal_, product_, sample_gradient_;
    Workspaces<T> hessian_[2][2];  // by whether it is the Gauss–Newton matrix, and whether it is large
    Workspaces<T> sample_hessian_[2], neuron_[2];  // by whether the block is large; whether it is the Gauss–Newton matrix
};

}  // namespace hessorbit
