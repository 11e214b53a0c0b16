// Does the tasks of a plan over the samples of a chunk: forms rows, multiplies them, and adds the sums to their places
// in the upper triangle of H. No memory is needed beyond H, a chunk's rows and what one task needs on each thread.
#pragma once

#include "plan.hpp"

namespace hessorbit {

// What one thread needs besides the tape: a block of left rows, a group of right rows, rows in between, and the sums.
template <class T>
struct HessianScratch {
    static constexpr Index left_block = 48;

    Rows<T> left, right, weighted, combined;
    std::vector<const T*> left_rows, right_rows;  // of the current task: here, or where they were already
    std::vector<T> sums;  // (large_group / tile, left rows of the task, tile) as `contract_column` leaves them
    Matrix<T> coefficients;                       // what `differentiate` needs

    HessianScratch(const Network& network, Index columns) {
        const Index n = row_stride(std::min(columns, Segment<T>::most));
        Index width = 1;
        for (Index l = 0; l + 1 < network.depth(); ++l) width = std::max(width, network.layer(l).width);
        left.setZero(left_block, n);
        right.setZero(large_group, n);
        left_rows.resize(HessianPlan::left_most);
        right_rows.resize(large_group + Lanes<T>::right);
        weighted.setZero(width, n);
        combined.setZero(large_group, n);
        sums.resize(HessianPlan::left_most * large_group + row_multiple);
        coefficients.setZero(1, differentiate_coefficients(network));
    }
};

template <class T>
class HessianAssembler {
public:
    // hessian (size, size), the plan's block; the tape and the sensitivities hold what the chunk needs whenever `run` is
    // called.
    HessianAssembler(const HessianPlan& plan, const Parameters<T>& parameters, Tape<T>& tape,
                     Sensitivity<T>& sensitivity, HessianScratch<T>& scratch, T* hessian)
        : plan_(plan), network_(plan.shape().network),
          segment_(network_, parameters, tape, sensitivity, plan.shape().gauss_newton), scratch_(scratch),
          hessian_(hessian) {}

    // Adds samples 0 … n − 1 of the tape to the places of one task.
    void run(const HessianTask& task, Index n) { run_kind<0>(task, n); }

private:
    static constexpr Index tile = Lanes<T>::right, at_once = 2 * tile;

    template <int kind>
    void run_kind(const HessianTask& task, Index n) {
        if constexpr (kind < static_cast<int>(std::tuple_size_v<Products>)) {
            if (task.kind == kind)
                run_product<std::tuple_element_t<kind, Products>>(task, n);
            else
                run_kind<kind + 1>(task, n);
        }
    }

    template <class Product>
    void run_product(const HessianTask& task, Index n) {
        std::fill_n(scratch_.sums.begin(), sums_of(task, task.count + tile - 1), T(0));
        Block<T> block{plan_.shape(),     segment_,         task.l, task.m, plan_.pairs(task.l, task.m),
                       scratch_.weighted, scratch_.combined};
        for (Index begin = 0; begin < n; begin += Segment<T>::most) {
            if (begin > 0) stop_if_interrupted();
            segment_.select({begin, std::min(Segment<T>::most, n - begin)});
            if (forms_right_first<Product>(task)) {
                form_right<Product>(block, task, 0, task.count);
                for (Index x = 0; x < task.left_count; x += scratch_.left_block) {
                    const Range left{x, std::min(task.left_count, x + scratch_.left_block)};
                    form_left<Product>(block, task, left);
                    contract_rows(task, left, {0, task.count}, 0);
                }
            } else {
                // Right rows are used at once, a few of them at a time, so they never leave the L1 cache.
                form_left<Product>(block, task, {0, task.left_count});
                for (Index r = 0; r < task.count; r += at_once) {
                    const Range right{r, std::min(task.count, r + at_once)};
                    form_right<Product>(block, task, right.begin, right.size());
                    contract_rows(task, needed<Product>(task, right), right, 0);
                }
            }
        }
        place<Product>(block, task);
    }

    // Whether left rows are formed that do not fit into scratch at once, so that right rows meet a block at a time.
    template <class Product>
    bool forms_right_first(const HessianTask& task) const {
        if constexpr (Product::forms_left)
            return task.left_count > scratch_.left_block || !Product::forms_apart(plan_.shape(), task.m);
        else
            return false;
    }

    // The left rows of the task that its right rows in `right` need.
    template <class Product>
    Range needed(const HessianTask& task, Range right) const {
        const RightRow* rows = plan_.right(task);
        const Index begin = Product::needed(plan_.shape(), task.l, task.m, rows[right.begin]).begin;
        const Index end = Product::needed(plan_.shape(), task.l, task.m, rows[right.end - 1]).end;
        return {std::max<Index>(0, begin - task.left_first), std::min(task.left_count, end - task.left_first)};
    }

    template <class Product>
    void form_left(Block<T>& block, const HessianTask& task, Range left) {
        for (Index x = left.begin; x < left.end; ++x)
            scratch_.left_rows[x] = Product::left_row(block, task.left_first + x,
                                                      row(scratch_.left, Product::forms_left ? x - left.begin : 0));
    }

    // Right rows first … first + count − 1 of the task are formed at the start of the group, and the last stands for what
    // its register tile has more.
    template <class Product>
    void form_right(Block<T>& block, const HessianTask& task, Index first, Index count) {
        const RightRow* rows = plan_.right(task) + first;
        if constexpr (requires { Product::right_rows(block, rows, count, RowsView<T>()); }) {
            Product::right_rows(block, rows, count, RowsView<T>(scratch_.right));
            for (Index r = 0; r < count; ++r) scratch_.right_rows[r] = RowsView<T>(scratch_.right).row(r);
        } else {
            for (Index r = 0; r < count; ++r)
                scratch_.right_rows[r] = Product::right_row(block, rows[r], row(scratch_.right, r));
        }
        std::fill_n(scratch_.right_rows.begin() + count, tile - 1, scratch_.right_rows[count - 1]);
    }

    Row<T> row(Rows<T>& rows, Index i) const { return RowsView<T>(rows).array(i, segment_.size()); }

    // Where the sums of a right row start, r a multiple of `tile`.
    Index sums_of(const HessianTask& task, Index r) const { return r / tile * tile * task.left_count; }

    // Adds to the sums of right rows r … of the task, formed at `at`; r.begin is a multiple of `tile`.
    void contract_rows(const HessianTask& task, Range left, Range r, Index at) {
        contract_columns<T>(scratch_.left_rows.data() + left.begin, left.size(), scratch_.right_rows.data() + at,
                            (r.size() + tile - 1) / tile, segment_.size(),
                            scratch_.sums.data() + sums_of(task, r.begin) + left.begin * tile, sums_of(task, tile));
    }

    // H += sums, each at its place, row by row of H.
    template <class Product>
    void place(const Block<T>& block, const HessianTask& task) {
        const Layer &lower = network_.layer(task.l), &upper = network_.layer(task.m);
        const Index *places = plan_.shape().selection.places(), size = plan_.size();
        const RightRow* right = plan_.right(task);
        const auto put = [&](Index r, Range left) {
            const T* sums = scratch_.sums.data() + sums_of(task, r) + r % tile - task.left_first * tile;
            Product::place(block, right[r], {task.left_first + left.begin, task.left_first + left.end},
                           [&](Index x, Index i, Index a, Index j, Index c, auto... factor) {
                               const Index row = places[lower.parameter(i, a)];
                               T& to = hessian_[row * size + places[upper.parameter(j, c)]];
                               to += (factor * ... * sums[x * tile]);
                           });
        };
        if constexpr (Product::left_is_lower) {
            for (Index x = 0; x < task.left_count; ++x)
                for (Index r = 0; r < task.count; ++r) put(r, {x, x + 1});
        } else {
            for (Index r = 0; r < task.count; ++r) put(r, needed<Product>(task, {r, r + 1}));
        }
    }

    const HessianPlan& plan_;
    const Network& network_;
    Segment<T> segment_;
    HessianScratch<T>& scratch_;
    T* hessian_;
};

}  // namespace hessorbit
