// Lends what calls need besides their arguments, so that calls after the first allocate nothing.
#pragma once

#include <array>
#include <atomic>
#include <memory>

namespace hessorbit {

// The workspaces that are not in use. No lock, which a fork in the middle of a call would leave held in the child.
template <class Space>
class Lending {
public:
    Lending() = default;
    Lending(const Lending&) = delete;
    ~Lending() {
        for (std::atomic<Space*>& each : idle_) delete each.load();
    }

    // Holds a workspace until destroyed, then gives it back.
    class Lease {
    public:
        Lease(Lending& from, std::unique_ptr<Space> space) : from_(from), space_(std::move(space)) {}
        Lease(const Lease&) = delete;
        ~Lease() { from_.give_back(std::move(space_)); }
        Space* operator->() const { return space_.get(); }
        Space& operator*() const { return *space_; }

    private:
        Lending& from_;
        std::unique_ptr<Space> space_;
    };

    Lease take() {
        for (std::atomic<Space*>& each : idle_)
            if (Space* const space = each.exchange(nullptr)) return Lease(*this, std::unique_ptr<Space>(space));
        return Lease(*this, std::make_unique<Space>());
    }

private:
    // Beyond as many as there is room for they are dropped.
    void give_back(std::unique_ptr<Space> space) {
        for (std::atomic<Space*>& each : idle_) {
            Space* empty = nullptr;
            if (each.compare_exchange_strong(empty, space.get())) return void(space.release());
        }
    }

    std::array<std::atomic<Space*>, 64> idle_{};
};

}  // namespace hessorbit
