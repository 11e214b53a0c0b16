// Workspaces that outlive a call, so that calls after the first allocate nothing, also when several threads call at once.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

namespace hessorbit {

template <class Item>
class Pool {
public:
    // Holds an item until destroyed, then gives it back.
    class Lease {
    public:
        Lease(Pool& pool, std::unique_ptr<Item> item) : pool_(pool), item_(std::move(item)) {}
        Lease(const Lease&) = delete;
        ~Lease() { pool_.give_back(std::move(item_)); }
        Item* operator->() const { return item_.get(); }
        Item& operator*() const { return *item_; }

    private:
        Pool& pool_;
        std::unique_ptr<Item> item_;
    };

    // Takes an idle item, or the one that make() returns.
    template <class Make>
    Lease take(Make make) {
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            if (!idle_.empty()) {
                std::unique_ptr<Item> item = std::move(idle_.back());
                idle_.pop_back();
                return Lease(*this, std::move(item));
            }
        }
        return Lease(*this, make());
    }

private:
    void give_back(std::unique_ptr<Item> item) {
        const std::lock_guard<std::mutex> lock(mutex_);
        idle_.push_back(std::move(item));
    }

    std::mutex mutex_;
    std::vector<std::unique_ptr<Item>> idle_;
};

}  // namespace hessorbit
