// Which products make up a Hessian, or a principal block of it, cut into tasks: fixed by the network, the loss and the
// parameters of the block alone.
//
// Tasks come in two stages. No two tasks of a stage write the same place, and the second stage, of tasks that add to
// what others wrote, starts when the first is finished: so results do not depend on who does which.
#pragma once

#include "products.hpp"

#include <utility>
#include <vector>

namespace hessorbit {

// Right rows first … first + count − 1 of the plan against left rows of block (l, m). One thread does one task.
struct HessianTask {
    int kind;  // its place in Products
    Index l, m;
    Index first, count;
    Index left_first, left_count;
};

class HessianPlan {
public:
    static constexpr Index left_most = 512;  // left rows of a task
    static constexpr int stages = 2;

    explicit HessianPlan(HessianShape shape)
        : shape_(std::move(shape)), pairs_(shape_.network.depth() * shape_.network.depth()) {
        for (Index l = 0; l < shape_.top(); ++l)
            for (Index m = l; m < shape_.top(); ++m) list_pairs(l, m);
        list_pairs(shape_.top(), shape_.top());
        const auto kinds = std::make_integer_sequence<int, static_cast<int>(std::tuple_size_v<Products>)>();
        [&]<int... kind>(std::integer_sequence<int, kind...>) { (add<kind>(), ...); }
        (kinds);
    }

    const HessianShape& shape() const { return shape_; }
    Index size() const { return shape_.selection.size(); }  // of the block of H

    // Whether H is made once instead of for every slot of samples. The two ways want workspaces of their own.
    bool is_large() const { return size() > small; }

    const std::vector<HessianTask>& tasks(int stage) const { return tasks_[stage]; }
    const RightRow* right(const HessianTask& task) const { return rows_.data() + task.first; }
    const RightRow* pairs(Index l, Index m) const { return pairs_[l * shape_.network.depth() + m].data(); }  // (a, c)

private:
    static constexpr Index small = 256;  // size up to which every slot of samples has its own H, and its thread all tasks
    static constexpr Index few_tasks = 8;

    // The right rows of one product, cut into tasks a group at a time.
    template <int kind>
    struct Listing {
        using Product = std::tuple_element_t<kind, Products>;

        HessianPlan& plan;
        Index l, m, group;
        Index first = static_cast<Index>(plan.rows_.size());

        void add(const RightRow& row) {
            plan.rows_.push_back(row);
            if (static_cast<Index>(plan.rows_.size()) - first == group) end_group();
        }

        void end_group() {
            const Index count = static_cast<Index>(plan.rows_.size()) - first;
            if (count == 0) return;
            const Index begin = Product::needed(plan.shape_, l, m, plan.rows_[first]).begin;
            const Index end = Product::needed(plan.shape_, l, m, plan.rows_.back()).end;
            for (Index x = begin; x < end; x += left_most)
                plan.tasks_[Product::stage].push_back({kind, l, m, first, count, x, std::min(left_most, end - x)});
            first += count;
        }
    };

    template <int kind>
    void add() {
        using Product = std::tuple_element_t<kind, Products>;
        const Index group = group_of<Product>();
        for_blocks<Product>([&](Index l, Index m) {
            Listing<kind> listing{*this, l, m, group};
            Product::right_rows(shape_, l, m, listing);
            listing.end_group();
        });
    }

    // Right rows in a group: as many as leave several tasks to each of a few threads.
    template <class Product>
    Index group_of() const {
        if constexpr (requires { Product::most; }) {
            if (!is_large()) return Product::most;
            struct {
                Index rows = 0;
                void add(const RightRow&) { ++rows; }
            } all;
            for_blocks<Product>([&](Index l, Index m) { Product::right_rows(shape_, l, m, all); });
            return std::clamp(all.rows / few_tasks / 4 * 4, right_group, Product::most);  // whole tiles
        } else {
            return right_group;
        }
    }

    template <class Product, class Body>
    void for_blocks(const Body& body) const {
        for (Index l = 0; l <= shape_.top(); ++l)
            for (Index m = l; m <= shape_.top(); ++m)
                if (Product::serves(shape_, l, m)) body(l, m);
    }

    void list_pairs(Index l, Index m) {
        for (const Index a : shape_.features(l))
            for (const Index c : shape_.features(m))
                if (l < m || a <= c) pairs_[l * shape_.network.depth() + m].push_back({0, 0, a, c});
    }

    HessianShape shape_;
    std::vector<std::vector<RightRow>> pairs_;
    std::vector<RightRow> rows_;
    std::vector<HessianTask> tasks_[stages];
};

}  // namespace hessorbit
